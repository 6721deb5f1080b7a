{#- Inlined: DuckDB materializes a CTE that is read twice, and all events do not fit in memory. -#}
{%- set event_times %}
    (
        select user_id, user_session, event_time from {{ ref('events_staged') }}
        where
            rejection_reasons = ''
            and _ingested_at in (select new_files._ingested_at from new_files)
        union all
        select user_id, user_session, event_time from {{ ref('events_replaced') }}
        where _batch_id >= (select min(new_files._batch_id) from new_files)
    )
{%- endset %}
{%- set gap_seconds = (var('session_gap_minutes') or 1000000000) * 60 %}

with

new_files as (
    select * from {{ since_last_batch(ref('source_files'), of='events_cleaned') }}
),

spans as (

    -- A tracker session with events of one time is one session, which needs no row here.
    select
        user_id,
        user_session,
        min(event_time) as first_event_time,
        unix_timestamp(max(event_time)) - unix_timestamp(min(event_time)) > {{ gap_seconds }}
            as may_pause
    from {{ event_times }} as event_times
    group by user_id, user_session
    having min(event_time) < max(event_time)

),

pauses as (

    -- Only a span longer than the gap can contain a pause that ends a session: one event in five.
    select
        event_times.*,
        lag(event_times.event_time) over (
            partition by event_times.user_id, event_times.user_session
            order by event_times.event_time
        ) as previous_event_time
    from {{ event_times }} as event_times
    inner join spans
        on
            event_times.user_id = spans.user_id
            and event_times.user_session = spans.user_session
    where spans.may_pause

),

starts as (

    -- A pause of exactly the gap still belongs to the session.
    select
        user_id,
        user_session,
        event_time as started_at
    from pauses
    where
        previous_event_time is null
        or unix_timestamp(event_time) - unix_timestamp(previous_event_time) > {{ gap_seconds }}

    union all

    select
        user_id,
        user_session,
        first_event_time as started_at
    from spans
    where not may_pause

),

session_starts as (

    select
        *,
        lead(started_at, 1, cast('9999-12-31' as timestamp)) over (
            partition by user_id, user_session order by started_at
        ) as next_started_at,
        {{ hash_key(['user_id', 'user_session', 'started_at']) }} as session_id,
        (select max(new_files._batch_id) from new_files) as _batch_id
    from starts

)

select * from session_starts
