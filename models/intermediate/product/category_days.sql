{{ config(materialized='ephemeral') }}

with

products as (

    -- Products without a code are compared with those of their category id.
    select
        product_id,
        coalesce(category_code, cast(category_id as string)) as category
    from {{ ref('products_dim') }}

),

category_days as (

    select
        products.category,
        product_days.event_date,
        sum(product_days.views) as views,
        sum(product_days.purchases) as purchases
    from {{ ref('product_days') }} as product_days
    inner join products on product_days.product_id = products.product_id
    group by products.category, product_days.event_date

)

select * from category_days
