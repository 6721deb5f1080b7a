with

user_activity as (

    select
        *,
        {{ as_of_date() }} as as_of_date
    from {{ ref('user_activity') }}

),

buyers as (
    -- Six of seven users never ordered and are prospects: the join leaves them out.
    select * from {{ ref('users_dim') }}
    where user_segment <> 'prospect'
),

customer_lifetime_value as (
    select * from {{ ref('customer_lifetime_value') }}
),

measured as (

    select
        user_activity.*,
        coalesce(buyers.user_segment, 'prospect') as user_segment,
        unix_date(user_activity.as_of_date)
        - unix_date(cast(user_activity.first_seen_at as date)) + 1 as days_since_first_seen,
        unix_date(user_activity.as_of_date)
        - unix_date(cast(user_activity.last_seen_at as date)) as days_since_last_activity,
        unix_date(user_activity.as_of_date)
        - unix_date(cast(user_activity.last_purchase_at as date)) as days_since_last_purchase
    from user_activity
    left join buyers on user_activity.user_id = buyers.user_id

),

scored as (

    select
        {% for score, measure, comparison, limits in [
            ('recency_score', 'days_since_last_purchase', '<=', var('rfm_recency_days')),
            ('frequency_score', 'orders', '>=', var('rfm_frequency_orders')),
            ('monetary_score', 'revenue', '>=', var('rfm_monetary_revenue')),
        ] %}
            case
                when orders = 0 or {{ measure }} is null then null
                {% for limit in limits %}
                    when {{ measure }} {{ comparison }} {{ limit }} then {{ 5 - loop.index0 }}
                {% endfor %}
                else 1
            end as {{ score }},
        {% endfor %}
        *
    from measured

),

customer_metrics as (

    select
        scored.user_id,
        scored.user_segment,
        scored.first_seen_at,
        scored.last_seen_at,
        scored.first_order_at,
        scored.last_purchase_at,
        scored.sessions,
        scored.active_days,
        scored.events,
        scored.views,
        scored.carts,
        scored.purchases,
        scored.orders,
        scored.abandoned_carts,
        scored.engaged_seconds,
        scored.revenue,
        {{ money_average('scored.revenue', 'scored.orders') }} as average_order_value,
        {{ rate('scored.orders', 'scored.sessions') }} as session_conversion_rate,
        -- Orders per 30 days; the first day counts as a whole day, so the divisor is never 0.
        {{ rate('scored.orders * 30', 'scored.days_since_first_seen') }} as purchase_frequency,
        cast(scored.days_since_last_activity as bigint) as days_since_last_activity,
        cast(scored.days_since_last_purchase as bigint) as days_since_last_purchase,
        cast(scored.recency_score as int) as recency_score,
        cast(scored.frequency_score as int) as frequency_score,
        cast(scored.monetary_score as int) as monetary_score,
        {{ is_churned('scored.days_since_last_activity') }} as is_churned,
        {{ churn_risk('scored.days_since_last_activity') }} as churn_risk,
        customer_lifetime_value.probability_alive,
        customer_lifetime_value.expected_orders_90d,
        customer_lifetime_value.expected_revenue_90d,
        scored.as_of_date,
        greatest(scored._batch_id, customer_lifetime_value._batch_id) as _batch_id
    from scored
    left join customer_lifetime_value
        on scored.user_id = customer_lifetime_value.user_id

)

select * from customer_metrics
