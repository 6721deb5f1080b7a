{{ config(materialized='ephemeral') }}

with

numbered as (

    -- Hours without an event have the number of the busy hour before them, so a pause shares one.
    select
        *,
        count(case when events > 0 then 1 end) over (
            partition by event_date order by event_hour
        ) as pause_number
    from {{ ref('hourly_surroundings') }}

),

pauses as (

    select
        event_date,
        sum(usual_events) as missed_events
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
