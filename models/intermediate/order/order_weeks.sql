{{ config(materialized='ephemeral') }}

with

order_sessions as (
    select * from {{ ref('sessions') }}
    where is_order
),

orders as (

    select
        user_id,
        revenue,
        cast(date_trunc('week', first_purchase_at) as date) as order_week
    from order_sessions

),

order_weeks as (

    select
        *,
        min(order_week) over (partition by user_id) as cohort_week
    from orders

)

select * from order_weeks
