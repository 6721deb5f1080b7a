{{ config(materialized='ephemeral') }}

with

buyers as (

    select
        user_id,
        cast(first_order_at as date) as order_date
    from {{ ref('user_activity') }}
    where orders > 0

),

purchase_days as (
    select * from {{ ref('user_daily_activity') }}
    where purchases > 0
),

daily_new_buyers as (

    select
        buyers.order_date,
        count(*) as new_buyers,
        cast(sum(purchase_days.revenue) as decimal(18, 2)) as new_buyer_revenue
    from buyers
    inner join purchase_days
        on
            buyers.user_id = purchase_days.user_id
            and buyers.order_date = purchase_days.event_date
    group by buyers.order_date

)

select * from daily_new_buyers
