{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key=['event_date', 'quarter_of_day'],
    on_schema_change='fail',
) }}

with

event_changes as (

    -- Local time differs from UTC by whole quarters of an hour, in all zones.
    select
        *,
        4 * event_hour + cast(floor(extract(minute from event_time) / 15) as int) as quarter_of_day
    from {{ changes(ref('event_changes')) }}

),

quarter_hours as (

    select
        event_date,
        quarter_of_day,
        cast(sum(_sign) as bigint) as events,
        {{ event_counts(sign='_sign') }},
        max(_batch_id) as _batch_id
    from event_changes
    group by event_date, quarter_of_day

)

select * from quarter_hours
