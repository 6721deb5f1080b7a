{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='product_id',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

with

product_users as (
    select product_users.*
    from {{ ref('product_users') }} as product_users
    where {{ is_touched('product_users', ['product_id'], by=ref('product_users')) }}
),

product_totals as (

    select
        product_id,
        {{ sum_event_counts() }},
        {{ count_where('views > 0') }} as viewers,
        {{ count_where('purchases > 0') }} as buyers,
        cast(sum(view_sessions) as bigint) as view_sessions,
        cast(sum(cart_sessions) as bigint) as cart_sessions,
        cast(sum(purchase_sessions) as bigint) as purchase_sessions,
        cast(sum(view_and_cart_sessions) as bigint) as view_and_cart_sessions,
        cast(sum(view_and_purchase_sessions) as bigint) as view_and_purchase_sessions,
        cast(sum(cart_and_purchase_sessions) as bigint) as cart_and_purchase_sessions,
        max(_updated_at) as _updated_at
    from product_users
    group by product_id

)

select * from product_totals
