{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key=['user_id', 'event_date'],
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
) }}

with

event_changes as (
    select * from {{ changes(ref('event_changes')) }}
),

user_daily_activity as (

    select
        user_id,
        event_date,
        cast(sum(_sign) as bigint) as events,
        {{ event_counts(sign='_sign') }},
        max(_batch_id) as _batch_id
    from event_changes
    group by user_id, event_date

)

select * from user_daily_activity
