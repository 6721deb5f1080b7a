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

hours as (

    select
        days.event_date,
        hours_of_the_day.event_hour,
        coalesce(hourly_activity.events, 0) as events
    from days
    cross join hours_of_the_day
    left join hourly_activity
        on
            days.event_date = hourly_activity.event_date
            and hours_of_the_day.event_hour = hourly_activity.event_hour

),

expected as (

    select
        hours.event_date,
        hours.event_hour,
        hours.events,
        median(neighbor.events) as usual_events
    from hours
    inner join hours as neighbor
        on
            hours.event_hour = neighbor.event_hour
            and hours.event_date <> neighbor.event_date
            and abs(unix_date(hours.event_date) - unix_date(neighbor.event_date))
            <= {{ var('incomplete_day_window_days') }}
    group by hours.event_date, hours.event_hour, hours.events

),

numbered as (

    -- Hours without an event have the number of the busy hour before them, so a pause shares one.
    select
        *,
        count(case when events > 0 then 1 end) over (
            partition by event_date order by event_hour
        ) as pause_number
    from expected

),

pauses as (

    select
        event_date,
        cast(sum(usual_events) as double) as missed_events
    from numbered
    where events = 0
    group by event_date, pause_number

),

daily_pauses as (

    select
        event_date,
        max(missed_events) as missed_events
    from pauses
    group by event_date

)

select * from daily_pauses
