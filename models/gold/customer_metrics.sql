with

user_activity as (

    select
        *,
        {{ as_of_date() }} as as_of_date,
        {{ observed_until() }} as observed_until
    from {{ ref('user_activity') }}

),

buyers as (
    -- Six of seven users never ordered and are prospects: the join leaves them out.
    select * from {{ ref('users_dim') }}
    where user_segment <> 'prospect'
),

buyer_scores as (
    select * from {{ ref('buyer_scores') }}
),

buyer_orders as (
    select * from {{ ref('buyer_orders') }}
),

open_carts as (
    select * from {{ ref('open_carts') }}
),

customer_lifetime_value as (
    select * from {{ ref('customer_lifetime_value') }}
),

measured as (

    select
        *,
        unix_date(as_of_date) - unix_date(cast(first_seen_at as date)) + 1 as days_counted,
        unix_date(as_of_date) - unix_date(cast(last_seen_at as date)) as days_since_last_activity,
        cast(unix_date(observed_until) - unix_date(cast(first_order_at as date)) as bigint)
            as days_observed_after_first_order
    from user_activity

),

customer_metrics as (

    select
        measured.user_id,
        coalesce(buyers.user_segment, 'prospect') as user_segment,
        measured.first_seen_at,
        measured.last_seen_at,
        measured.first_order_at,
        buyer_scores.is_first_order_left_censored,
        buyer_orders.second_order_at,
        cast(
            unix_date(cast(buyer_orders.second_order_at as date))
            - unix_date(cast(measured.first_order_at as date)) as bigint
        ) as days_to_second_order,
        measured.days_observed_after_first_order,
        measured.last_purchase_at,
        buyer_orders.first_order_category,
        buyer_orders.favorite_category,
        buyer_orders.favorite_brand,
        measured.sessions,
        measured.active_days,
        measured.events,
        measured.views,
        measured.carts,
        measured.purchases,
        measured.orders,
        measured.abandoned_carts,
        cast(coalesce(open_carts.open_cart_value, 0) as decimal(18, 2)) as open_cart_value,
        measured.engaged_seconds,
        measured.revenue,
        {{ money_average('measured.revenue', 'measured.orders') }} as average_order_value,
        {{ rate('measured.orders', 'measured.sessions') }} as session_conversion_rate,
        case
            when measured.days_counted >= {{ var('frequency_min_days') }}
                then {{ rate('measured.orders * 30', 'measured.days_counted') }}
        end as purchase_frequency,
        cast(measured.days_since_last_activity as bigint) as days_since_last_activity,
        measured.days_since_last_activity <= {{ var('active_within_days') }} as is_active,
        buyer_scores.days_since_last_purchase,
        buyer_scores.recency_score,
        buyer_scores.frequency_score,
        buyer_scores.monetary_score,
        buyer_scores.rfm_segment,
        buyer_scores.is_churned,
        buyer_scores.churn_risk,
        customer_lifetime_value.probability_alive,
        customer_lifetime_value.expected_orders_90d,
        customer_lifetime_value.expected_revenue_90d,
        measured.as_of_date,
        greatest(measured._batch_id, customer_lifetime_value._batch_id) as _batch_id
    from measured
    left join buyers on measured.user_id = buyers.user_id
    left join buyer_scores on measured.user_id = buyer_scores.user_id
    left join buyer_orders on measured.user_id = buyer_orders.user_id
    left join open_carts on measured.user_id = open_carts.user_id
    left join customer_lifetime_value
        on measured.user_id = customer_lifetime_value.user_id

)

select * from customer_metrics
