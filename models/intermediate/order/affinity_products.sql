{{ config(materialized='ephemeral') }}

with

affinity_baskets as (
    select * from {{ ref('affinity_baskets') }}
),

basket_sizes as (

    select
        basis,
        basket_id,
        count(distinct product_id) > {{ var('affinity_max_products') }} as is_left_out
    from affinity_baskets
    group by basis, basket_id

),

affinity_products as (

    select
        affinity_baskets.basis,
        affinity_baskets.basket_id,
        affinity_baskets.product_id,
        affinity_baskets.order_date,
        basket_sizes.is_left_out
    from affinity_baskets
    inner join basket_sizes
        on
            affinity_baskets.basis = basket_sizes.basis
            and affinity_baskets.basket_id = basket_sizes.basket_id

)

select * from affinity_products
