{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key='user_id',
    on_schema_change='fail',
) }}

with

user_activity as (
    select * from {{ ref('user_activity') }}
),

dated as (

    select
        *,
        {{ as_of_date() }} as as_of_date
    from user_activity

),

measured as (

    select
        *,
        unix_date(as_of_date) - unix_date(cast(first_order_at as date)) as days_since_first_order,
        unix_date(as_of_date) - unix_date(cast(last_purchase_at as date))
            as days_since_last_purchase
    from dated

),

segmented as (

    select
        *,
        {{ user_segment() }} as user_segment
    from measured

),

users_dim as (

    select
        segmented.user_id,
        segmented.user_segment,
        segmented.first_seen_at,
        segmented.last_seen_at,
        segmented.first_order_at,
        segmented.last_purchase_at,
        segmented.first_order_session_id,
        segmented.sessions,
        segmented.purchases,
        segmented.orders,
        segmented.revenue,
        segmented._batch_id
    from segmented
    -- The as-of date can move a buyer to another segment without a new event.
    where {{ differs_from_stored('segmented', 'user_id', ['user_segment', '_batch_id']) }}

)

select * from users_dim
