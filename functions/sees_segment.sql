{{ is_in_any_group(['ecommerce_pipeline', 'ecommerce_all_segments']) }}
{%- for segment in var('user_segments') %}
or (user_segment = '{{ segment }}' and {{ is_in_any_group(['ecommerce_segment_' ~ segment]) }})
{%- endfor %}
