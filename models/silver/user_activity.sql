{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key='user_id',
    liquid_clustered_by=['user_id'],
    on_schema_change='fail',
) }}

with

sessions as (
    select * from {{ with_changed_keys(
        ref('sessions'), ['user_id'], changed_in=ref('user_daily_activity')
    ) }}
),

order_sessions as (
    -- One session in fifteen, so that the ids of session and product are read for these only.
    select * from {{ with_changed_keys(
        ref('sessions'), ['user_id'], changed_in=ref('user_daily_activity')
    ) }}
    where is_order
),

user_daily_activity as (
    select * from {{ with_changed_keys(
        ref('user_daily_activity'), ['user_id'], changed_in=ref('user_daily_activity')
    ) }}
),

visits as (

    select
        user_id,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        count(*) as sessions,
        cast(sum(duration_seconds) as bigint) as engaged_seconds,
        count(*) filter (where carts > 0 and not is_order) as abandoned_carts,
        count(*) filter (where is_order) as orders,
        min(first_purchase_at) as first_order_at,
        max(last_purchase_at) as last_purchase_at
    from sessions
    group by user_id

),

numbered_orders as (

    -- Of two orders with the same time the one with the lower session id is the first.
    select
        user_id,
        session_id,
        session_date,
        first_purchased_product_id,
        row_number() over (
            partition by user_id order by first_purchase_at, session_id
        ) as order_number
    from order_sessions

),

days as (

    select
        user_id,
        count(*) as active_days,
        cast(sum(events) as bigint) as events,
        cast(sum(views) as bigint) as views,
        cast(sum(carts) as bigint) as carts,
        cast(sum(purchases) as bigint) as purchases,
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        max(_batch_id) as _batch_id
    from user_daily_activity
    group by user_id

),

user_activity as (

    select
        visits.user_id,
        visits.first_seen_at,
        visits.last_seen_at,
        visits.first_order_at,
        visits.last_purchase_at,
        first_orders.session_id as first_order_session_id,
        first_orders.session_date as first_order_session_date,
        first_orders.first_purchased_product_id as first_order_product_id,
        visits.sessions,
        days.active_days,
        days.events,
        days.views,
        days.carts,
        days.purchases,
        visits.orders,
        visits.abandoned_carts,
        visits.engaged_seconds,
        days.revenue,
        days._batch_id
    from visits
    inner join days on visits.user_id = days.user_id
    left join numbered_orders as first_orders
        on visits.user_id = first_orders.user_id and first_orders.order_number = 1

)

select * from user_activity
