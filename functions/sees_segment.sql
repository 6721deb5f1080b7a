{{ is_in_any_group(['ecommerce_pipeline', 'ecommerce_all_segments']) }}
{%- for segment in ['vip', 'loyal', 'regular', 'new', 'at_risk', 'prospect'] %}
or (user_segment = '{{ segment }}' and {{ is_in_any_group(['ecommerce_segment_' ~ segment]) }})
{%- endfor %}
