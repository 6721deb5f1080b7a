{{ config(materialized='ephemeral') }}

with

buyers as (
    select * from {{ ref('user_activity') }}
    where orders > 0
),

funnel_new_buyers as (

    select
        first_order_session_date as event_date,
        count(*) as new_buyers
    from buyers
    group by first_order_session_date

)

select * from funnel_new_buyers
