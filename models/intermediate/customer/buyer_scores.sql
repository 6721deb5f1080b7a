{{ config(materialized='ephemeral') }}

with

buyers as (

    select
        *,
        {{ as_of_date() }} as as_of_date
    from {{ ref('user_activity') }}
    where orders > 0

),

calendar as (
    select * from {{ ref('calendar') }}
),

measured as (

    select
        buyers.user_id,
        buyers.orders,
        buyers.revenue,
        calendar.is_left_censored as is_first_order_left_censored,
        unix_date(buyers.as_of_date)
        - unix_date(cast(buyers.last_purchase_at as date)) as days_since_last_purchase
    from buyers
    left join calendar on cast(buyers.first_order_at as date) = calendar.event_date

),

scored as (

    select
        user_id,
        is_first_order_left_censored,
        cast(days_since_last_purchase as bigint) as days_since_last_purchase,
        {% for score, measure, comparison, limits in [
            ('recency_score', 'days_since_last_purchase', '<=', var('rfm_recency_days')),
            ('frequency_score', 'orders', '>=', var('rfm_frequency_orders')),
            ('monetary_score', 'revenue', '>=', var('rfm_monetary_revenue')),
        ] %}
            cast(case
                {% for limit in limits %}
                    when {{ measure }} {{ comparison }} {{ limit }} then {{ 5 - loop.index0 }}
                {% endfor %}
                else 1
            end as int) as {{ score }},
        {% endfor %}
        days_since_last_purchase > {{ var('churn_after_days') }} as is_churned,
        case
            when days_since_last_purchase > {{ var('churn_after_days') }} then 'high'
            when days_since_last_purchase >= {{ var('churn_medium_risk_after_days') }} then 'medium'
            else 'low'
        end as churn_risk
    from measured

),

buyer_scores as (

    select
        *,
        case
            {% for segment in var('rfm_segments') %}
                when {{ rfm_segments()[segment] }} then '{{ segment }}'
            {% endfor %}
        end as rfm_segment
    from scored

)

select * from buyer_scores
