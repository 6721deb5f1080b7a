{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['user_id', 'user_session'],
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
    meta={'delete_keys_where': '_first_batch_id < _batch_id'},
    post_hook="{{ empty_prepared(ref('session_starts')) }}",
) }}

with

new_files as (
    select * from {{ since_last_batch(ref('source_files')) }}
),

new_rows as (
    select * from {{ ref('events_staged') }}
    where
        rejection_reasons = ''
        and _ingested_at in (select new_files._ingested_at from new_files)
),

copies as (
    select * from {{ ref('event_copies') }}
    where _ingested_at in (select new_files._ingested_at from new_files)
),

earlier_events as (
    -- A late event can extend or merge sessions, so its whole tracker session is rewritten.
    select * from {{ since_last_batch(ref('events_replaced')) }}
),

session_starts as (
    select * from {{ ref('session_starts') }}
    where _batch_id in (select new_files._batch_id from new_files)
),

all_events as (

    select
        {{ event_columns('new_rows') }},
        new_rows._source_file,
        new_rows._ingested_at,
        (select max(new_files._batch_id) from new_files) as _first_batch_id
    from new_rows
    where
        not exists (
            select 1 from copies
            where
                copies.event_time = new_rows.event_time
                and copies.user_id = new_rows.user_id
                and copies.product_id = new_rows.product_id
        )

    union all

    select
        {{ event_columns() }},
        _source_file,
        _ingested_at,
        (select max(new_files._batch_id) from new_files) as _first_batch_id
    from copies
    where copy_number = 1 and event_id not in (select earlier_events.event_id from earlier_events)

    union all

    select
        {{ event_columns() }},
        _source_file,
        _ingested_at,
        _first_batch_id
    from earlier_events

),

events_cleaned as (

    select
        events.*,
        (select max(new_files._batch_id) from new_files) as _batch_id,
        coalesce(
            session_starts.session_id,
            {{ hash_key(['events.user_id', 'events.user_session', 'events.event_time']) }}
        ) as session_id,
        cast(events.event_time as date) as event_date,
        cast(extract(hour from events.event_time) as int) as event_hour
    from all_events as events
    left join session_starts
        on
            events.user_id = session_starts.user_id
            and events.user_session = session_starts.user_session
            and events.event_time >= session_starts.started_at
            and events.event_time < session_starts.next_started_at

)

select * from events_cleaned
