{{ config(materialized='ephemeral') }}

with

orders as (
    select * from {{ ref('sessions') }}
    where is_order
),

daily_orders as (

    select
        cast(first_purchase_at as date) as order_date,
        count(*) as orders
    from orders
    group by cast(first_purchase_at as date)

)

select * from daily_orders
