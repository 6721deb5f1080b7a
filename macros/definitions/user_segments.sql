{% macro user_segment() -%}
    case
        when orders = 0 then 'prospect'
        when days_since_last_purchase > {{ var('segment_at_risk_after_days') }} then 'at_risk'
        when
            orders >= {{ var('segment_vip_min_orders') }}
            or revenue >= {{ var('segment_vip_min_revenue') }} then 'vip'
        when orders >= {{ var('segment_loyal_min_orders') }} then 'loyal'
        when days_since_first_order <= {{ var('segment_new_within_days') }} then 'new'
        else 'regular'
    end
{%- endmacro %}
