{{ config(materialized='ephemeral') }}

with

buyers as (
    select * from {{ ref('user_activity') }}
    where orders > 0
),

funnel_first_orders as (

    select
        first_order_session_date as event_date,
        count(*) as sessions_with_first_order
    from buyers
    group by first_order_session_date

)

select * from funnel_first_orders
