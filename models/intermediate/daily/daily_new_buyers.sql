{{ config(materialized='ephemeral') }}

with

buyers as (
    select * from {{ ref('user_activity') }}
    where orders > 0
),

daily_new_buyers as (

    select
        cast(first_order_at as date) as order_date,
        count(*) as new_buyers
    from buyers
    group by cast(first_order_at as date)

)

select * from daily_new_buyers
