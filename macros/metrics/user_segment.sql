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

{% macro customer_rules() -%}
    {#- The segment and the predictions come from other tables, and change with their rules. -#}
    {{ return([
        'segment_at_risk_after_days', 'segment_vip_min_orders', 'segment_vip_min_revenue',
        'segment_loyal_min_orders', 'segment_new_within_days',
        'rfm_recency_days', 'rfm_frequency_orders', 'rfm_monetary_revenue', 'churn_after_days',
        'churn_watch_after_days', 'clv_min_repeat_buyers',
    ]) }}
{%- endmacro %}
