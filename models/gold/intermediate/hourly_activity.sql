{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['event_date', 'event_hour'],
    on_schema_change='fail',
) }}

with

events as (
    {{ new_events() }}
),

counted as (

    select
        event_date,
        event_hour,
        count(*) as events,
        {{ event_counts() }},
        max(_updated_at) as _updated_at
    from events
    group by event_date, event_hour

),

hourly_activity as (
    {{ add_to_kept_counts(
        'counted', ['event_date', 'event_hour'], ['events'] + event_count_names()
    ) }}
)

select * from hourly_activity
