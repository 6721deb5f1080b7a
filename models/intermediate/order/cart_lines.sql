{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['user_id', 'tracker_part'],
    liquid_clustered_by=['user_id'],
    on_schema_change='fail',
    meta={'delete_keys_where': '_first_batch_id < _batch_id'},
) }}

-- depends_on: {{ ref('batch_totals') }}

with

cart_events as (

    select
        session_id,
        user_id,
        {{ tracker_part() }} as tracker_part,
        product_id,
        event_type,
        event_time,
        price,
        min(case when event_type = 'cart' then event_time end)
            over (partition by session_id, product_id) as first_carted_at,
        max(case when event_type = 'cart' then event_time end)
            over (partition by session_id, product_id) as last_carted_at,
        _first_batch_id,
        _batch_id
    from {{ since_last_batch(ref('events_cleaned')) }}
    where event_type <> 'view'

),

cart_lines as (

    -- Event times are whole seconds: a purchase or a removal within the second of the cart event
    -- came after it.
    select
        session_id,
        any_value(user_id) as user_id,
        any_value(tracker_part) as tracker_part,
        product_id,
        max(last_carted_at) as last_carted_at,
        count(case when event_type = 'cart' then 1 end) as carts,
        count(case when event_type = 'remove_from_cart' then 1 end) as cart_removals,
        min(case when event_type = 'cart' and event_time = last_carted_at then price end)
            as cart_price,
        case
            when bool_or(event_type = 'purchase' and event_time >= first_carted_at) then 'bought'
            when bool_or(event_type = 'remove_from_cart' and event_time >= last_carted_at)
                then 'removed'
            else 'abandoned'
        end as outcome,
        min(_first_batch_id) as _first_batch_id,
        max(_batch_id) as _batch_id
    from cart_events
    where first_carted_at is not null
    group by session_id, product_id

)

select * from cart_lines
