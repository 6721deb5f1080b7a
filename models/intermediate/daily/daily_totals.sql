{{ config(materialized='ephemeral') }}

with

calendar as (
    select * from {{ ref('calendar') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

daily_visitors as (
    select * from {{ ref('daily_visitors') }}
),

daily_new_visitors as (
    select * from {{ ref('daily_new_visitors') }}
),

daily_sessions as (
    select * from {{ ref('daily_sessions') }}
),

daily_orders as (
    select * from {{ ref('daily_orders') }}
),

daily_new_buyers as (
    select * from {{ ref('daily_new_buyers') }}
),

daily_totals as (

    select
        calendar.event_date,
        coalesce(daily_traffic.events, 0) as events,
        coalesce(daily_traffic.views, 0) as views,
        coalesce(daily_traffic.carts, 0) as carts,
        coalesce(daily_traffic.purchases, 0) as purchases,
        cast(coalesce(daily_traffic.revenue, 0) as decimal(18, 2)) as revenue,
        daily_traffic.peak_sales_hour,
        daily_traffic.peak_traffic_hour,
        coalesce(daily_visitors.visitors, 0) as visitors,
        coalesce(daily_visitors.buyers, 0) as buyers,
        coalesce(daily_new_visitors.new_visitors, 0) as new_visitors,
        coalesce(daily_sessions.sessions, 0) as sessions,
        coalesce(daily_sessions.sessions_with_purchase, 0) as sessions_with_purchase,
        coalesce(daily_orders.orders, 0) as orders,
        coalesce(daily_new_buyers.new_buyers, 0) as new_buyers,
        cast(coalesce(daily_new_buyers.new_buyer_revenue, 0) as decimal(18, 2))
            as new_buyer_revenue
    from calendar
    left join daily_traffic on calendar.event_date = daily_traffic.event_date
    left join daily_visitors on calendar.event_date = daily_visitors.event_date
    left join daily_new_visitors on calendar.event_date = daily_new_visitors.event_date
    left join daily_sessions on calendar.event_date = daily_sessions.session_date
    left join daily_orders on calendar.event_date = daily_orders.order_date
    left join daily_new_buyers on calendar.event_date = daily_new_buyers.order_date

)

select * from daily_totals
