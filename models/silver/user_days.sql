{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_id', 'event_date'],
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
) }}

with

events as (
    {{ touched_events(['user_id', 'event_date']) }}
),

user_days as (

    select
        user_id,
        event_date,
        count(*) as events,
        {{ event_counts() }},
        max(_ingested_at) as _ingested_at
    from events
    group by user_id, event_date

)

select * from user_days
