with

sessions as (
    select * from {{ ref('sessions') }}
),

activity as (

    select
        user_id,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        count(*) as sessions,
        cast(sum(purchases) as bigint) as purchases,
        {{ count_where("is_order") }} as orders,
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        min(first_purchase_at) as first_order_at,
        max(last_purchase_at) as last_purchase_at
    from sessions
    group by user_id

),

first_orders as (

    -- Two orders opened within one second: the lower session id counts as the first.
    select
        user_id,
        session_id as first_order_session_id,
        row_number() over (
            partition by user_id order by first_purchase_at, session_id
        ) as order_number
    from sessions
    where is_order

),

dated as (

    select
        activity.*,
        first_orders.first_order_session_id,
        {{ as_of_date() }} as as_of_date
    from activity
    left join first_orders
        on
            activity.user_id = first_orders.user_id
            and first_orders.order_number = 1

),

measured as (

    select
        *,
        {{ days_between('cast(last_seen_at as date)', 'as_of_date') }} as days_since_last_activity,
        {{ days_between('cast(first_order_at as date)', 'as_of_date') }} as days_since_first_order,
        {{ days_between('cast(last_purchase_at as date)', 'as_of_date') }}
            as days_since_last_purchase
    from dated

),

users_dim as (

    select
        user_id,
        {{ user_segment() }} as user_segment,
        first_seen_at,
        last_seen_at,
        first_order_at,
        last_purchase_at,
        first_order_session_id,
        sessions,
        purchases,
        orders,
        revenue,
        days_since_last_activity,
        days_since_last_purchase,
        as_of_date
    from measured

)

select * from users_dim
