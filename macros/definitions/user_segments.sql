{% macro user_segments() -%}
    {#- What makes a user one of a segment; var user_segments says which of several comes first. -#}
    {{ return({
        'prospect': 'orders = 0',
        'at_risk': 'orders > 1 and days_since_last_purchase > '
            ~ var('segment_at_risk_after_days'),
        'lapsed': 'orders = 1 and days_since_last_purchase > ' ~ var('segment_lapsed_after_days'),
        'vip': 'orders >= ' ~ var('segment_vip_min_orders')
            ~ ' or revenue >= ' ~ var('segment_vip_min_revenue'),
        'loyal': 'orders >= ' ~ var('segment_loyal_min_orders'),
        'new': 'days_since_first_order <= ' ~ var('segment_new_within_days'),
        'regular': 'true',
    }) }}
{%- endmacro %}

{% macro user_segment() -%}
    case
        {%- for segment in var('user_segments') %}
        when {{ user_segments()[segment] }} then '{{ segment }}'
        {%- endfor %}
    end
{%- endmacro %}
