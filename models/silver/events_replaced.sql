{{ config(
    materialized='incremental',
    incremental_strategy='insert_missing',
    unique_key=['event_id', '_written_batch_id'],
    on_schema_change='fail',
) }}

with

new_files as (
    select * from {{ since_last_batch(ref('source_files'), of='events_cleaned') }}
),

touched_parts as (

    -- Includes rejected rows: rewriting a tracker session without a new event changes nothing.
    select distinct
        user_id,
        {{ tracker_part() }} as tracker_part
    from {{ ref('events_staged') }}
    where _ingested_at in (select new_files._ingested_at from new_files)

),

known_sessions as (

    -- A fifth of the rows of the events, to find which of them are touched.
    select
        session_id,
        user_id,
        tracker_part
    from {{ last_build('sessions') }}

    union all

    -- Of events that a build wrote before it died, which no session counts yet.
    select
        session_id,
        user_id,
        {{ tracker_part() }} as tracker_part
    from {{ since_last_batch(last_build('events_cleaned'), of='sessions') }}

),

touched_sessions as (
    select * from known_sessions
    where {{ has_key_in('known_sessions', ['user_id', 'tracker_part'], 'touched_parts') }}
),

events_replaced as (

    select
        {{ event_key('events') }} as event_id,
        {{ event_columns('events') }},
        events._source_file,
        events._ingested_at,
        events._first_batch_id,
        events._batch_id as _written_batch_id,
        (select max(new_files._batch_id) from new_files) as _batch_id,
        events.session_id,
        events.event_date,
        events.event_hour
    from {{ last_build('events_cleaned') }} as events
    where {{ has_key_in('events', ['user_id', 'session_id'], 'touched_sessions') }}

)

select * from events_replaced
