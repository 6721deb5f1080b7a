{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['product_id', 'user_id'],
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

with

events as (
    {{ touched_events(['user_id', 'product_id']) }}
),

session_products as (

    select
        product_id,
        user_id,
        session_id,
        {{ event_counts() }},
        max(_updated_at) as _updated_at
    from events
    group by product_id, user_id, session_id

),

product_users as (

    select
        product_id,
        user_id,
        {{ sum_event_counts() }},
        {{ count_where('views > 0') }} as view_sessions,
        {{ count_where('carts > 0') }} as cart_sessions,
        {{ count_where('purchases > 0') }} as purchase_sessions,
        {{ count_where('views > 0 and carts > 0') }} as view_and_cart_sessions,
        {{ count_where('views > 0 and purchases > 0') }} as view_and_purchase_sessions,
        {{ count_where('carts > 0 and purchases > 0') }} as cart_and_purchase_sessions,
        max(_updated_at) as _updated_at
    from session_products
    group by product_id, user_id

)

select * from product_users
