{{ config(materialized='ephemeral') }}

with

hourly_activity as (
    select * from {{ ref('hourly_activity') }}
),

days as (
    select distinct event_date from hourly_activity
),

hours_of_the_day as (
    select distinct event_hour from hourly_activity
),

listed as (

    select
        event_date,
        event_hour,
        events
    from hourly_activity

    union all

    select
        days.event_date,
        hours_of_the_day.event_hour,
        0 as events
    from days
    cross join hours_of_the_day

),

hours as (

    -- An hour without an event has 0, or it would not count as quiet.
    select
        event_date,
        event_hour,
        cast(sum(events) as bigint) as events
    from listed
    group by event_date, event_hour

),

hourly_surroundings as (

    select
        hours.event_date,
        hours.event_hour,
        hours.events,
        cast(median(neighbor.events) as double) as usual_events
    from hours
    inner join hours as neighbor
        on
            hours.event_hour = neighbor.event_hour
            and hours.event_date <> neighbor.event_date
            and abs(unix_date(hours.event_date) - unix_date(neighbor.event_date))
            <= {{ var('incomplete_day_window_days') }}
    group by hours.event_date, hours.event_hour, hours.events

)

select * from hourly_surroundings
