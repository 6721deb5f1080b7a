{{ config(materialized='ephemeral') }}

with

buyers as (
    select * from {{ ref('user_activity') }}
    where orders > 0
),

calendar as (
    select * from {{ ref('calendar') }}
),

product_buyers_acquired as (

    -- Each buyer counts once, for the product bought first, so that the column is additive over
    -- products; buyers is not.
    select
        buyers.first_order_product_id as product_id,
        count(*) as buyers_acquired,
        count(*) filter (where calendar.is_left_censored) as buyers_acquired_left_censored
    from buyers
    left join calendar on cast(buyers.first_order_at as date) = calendar.event_date
    group by buyers.first_order_product_id

)

select * from product_buyers_acquired
