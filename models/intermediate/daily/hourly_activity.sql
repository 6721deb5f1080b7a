{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key=['event_date', 'event_hour'],
    on_schema_change='fail',
) }}

with

event_changes as (
    select * from {{ changes(ref('event_changes')) }}
),

hourly_activity as (

    select
        event_date,
        event_hour,
        cast(sum(_sign) as bigint) as events,
        {{ event_counts(sign='_sign') }},
        max(_batch_id) as _batch_id
    from event_changes
    group by event_date, event_hour

)

select * from hourly_activity
