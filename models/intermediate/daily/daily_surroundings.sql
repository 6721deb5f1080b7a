{{ config(materialized='ephemeral') }}

with

calendar as (
    select * from {{ ref('calendar') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

daily_surroundings as (

    -- The median leaves out the day itself and days without the event, so that an outage of
    -- several days does not become its own norm.
    select
        calendar.event_date,
        calendar.is_left_censored,
        cast(median(neighbor.events) as double) as usual_events,
        cast(median(nullif(neighbor.purchases, 0)) as double) as usual_purchases
    from calendar
    left join daily_traffic as neighbor
        on
            calendar.event_date <> neighbor.event_date
            and abs(unix_date(calendar.event_date) - unix_date(neighbor.event_date))
            <= {{ var('incomplete_day_window_days') }}
    group by calendar.event_date, calendar.is_left_censored

)

select * from daily_surroundings
