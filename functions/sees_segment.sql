case
    when {{ is_in_any_group(['ecommerce_pipeline', 'ecommerce_all_segments']) }} then true
    {%- for segment in var('user_segments') %}
    when user_segment = '{{ segment }}' then {{ is_in_any_group(['ecommerce_segment_' ~ segment]) }}
    {%- endfor %}
    else false
end
