{{ config(materialized='ephemeral') }}

with

baskets as (
    select * from {{ ref('affinity_products') }}
    where not is_left_out
),

affinity_pairs as (

    select
        baskets.basis,
        baskets.product_id as product_a,
        partners.product_id as product_b,
        count(distinct baskets.basket_id) as pair_count
    from baskets
    inner join baskets as partners
        on
            baskets.basis = partners.basis
            and baskets.basket_id = partners.basket_id
            and baskets.product_id < partners.product_id
    where
        abs(unix_date(baskets.order_date) - unix_date(partners.order_date))
        <= {{ var('affinity_window_days') }}
    group by baskets.basis, baskets.product_id, partners.product_id
    having count(distinct baskets.basket_id) >= {{ var('affinity_min_baskets') }}

)

select * from affinity_pairs
