{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['event_date', 'event_hour'],
    on_schema_change='fail',
) }}

with

events as (
    {{ touched_events(['event_date', 'event_hour']) }}
),

hourly_activity as (

    select
        event_date,
        event_hour,
        count(*) as events,
        {{ event_counts() }},
        max(_ingested_at) as _ingested_at
    from events
    group by event_date, event_hour

)

select * from hourly_activity
