{{ config(materialized='ephemeral') }}

with

orders as (
    select * from {{ ref('sessions') }}
    where is_order
),

product_orders_started as (

    -- Each order counts once, for the product bought first, so that the column is additive over
    -- products; purchase_sessions is not.
    select
        first_purchased_product_id as product_id,
        count(*) as orders_started
    from orders
    group by first_purchased_product_id

)

select * from product_orders_started
