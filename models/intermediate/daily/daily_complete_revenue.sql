{{ config(materialized='ephemeral') }}

with

daily_completeness as (
    select * from {{ ref('daily_completeness') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

daily_complete_revenue as (

    select
        daily_completeness.event_date,
        case
            when daily_completeness.day_kind = 'complete' then coalesce(daily_traffic.revenue, 0)
        end as revenue
    from daily_completeness
    left join daily_traffic on daily_completeness.event_date = daily_traffic.event_date

)

select * from daily_complete_revenue
