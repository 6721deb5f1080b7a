{{ config(materialized='ephemeral') }}

with

buyers as (
    select * from {{ ref('user_activity') }}
    where orders > 0
),

product_buyers_acquired as (

    -- Each buyer counts once, for the product bought first, so that the column is additive over
    -- products; buyers is not.
    select
        first_order_product_id as product_id,
        count(*) as buyers_acquired
    from buyers
    group by first_order_product_id

)

select * from product_buyers_acquired
