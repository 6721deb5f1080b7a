{% macro session_starts(events) -%}
{#- CTEs that end in `session_starts`: the starts of the sessions of each user and tracker session
    that was seen at several times. The others, a third, are sessions of one second: a row for each
    would not fit in memory beside the events. -#}
{%- set event_times -%}
    (
        {%- for relation in events %}
        select user_id, user_session, event_time from {{ relation }} as seen
        {{- ' union all' if not loop.last }}
        {%- endfor %}
    )
{%- endset -%}
spans as (

    select
        user_id,
        user_session,
        min(event_time) as first_event_time,
        max(event_time) as last_event_time
    from {{ event_times }} as event_times
    group by user_id, user_session
    having min(event_time) < max(event_time)

),

pauses as (

    -- Only a span longer than the gap can contain such a pause: one event in five.
    select
        event_times.user_id,
        event_times.user_session,
        event_times.event_time,
        lag(event_times.event_time) over (
            partition by event_times.user_id, event_times.user_session
            order by event_times.event_time
        ) as previous_event_time
    from {{ event_times }} as event_times
    inner join spans
        on
            event_times.user_id = spans.user_id
            and event_times.user_session = spans.user_session
    where {{ is_longer_than_the_gap('spans.first_event_time', 'spans.last_event_time') }}

),

starts as (

    select
        user_id,
        user_session,
        event_time as started_at,
        lead(event_time, 1, cast('9999-12-31' as timestamp)) over (
            partition by user_id, user_session order by event_time
        ) as next_started_at
    from pauses
    where
        previous_event_time is null
        or {{ is_longer_than_the_gap('previous_event_time', 'event_time') }}

    union all

    select
        user_id,
        user_session,
        first_event_time as started_at,
        cast('9999-12-31' as timestamp) as next_started_at
    from spans
    where not {{ is_longer_than_the_gap('first_event_time', 'last_event_time') }}

),

session_starts as (

    select
        *,
        {{ hash_key(['user_id', 'user_session', 'started_at']) }} as session_id
    from starts

)
{%- endmacro %}

{% macro join_session_starts(events) -%}
    left join session_starts
        on
            {{ events }}.user_id = session_starts.user_id
            and {{ events }}.user_session = session_starts.user_session
            and {{ events }}.event_time >= session_starts.started_at
            and {{ events }}.event_time < session_starts.next_started_at
{%- endmacro %}

{% macro session_id(events) -%}
    coalesce(
        session_starts.session_id,
        {{ hash_key([
            events ~ '.user_id', events ~ '.user_session', events ~ '.event_time',
        ]) }}
    )
{%- endmacro %}

{% macro is_longer_than_the_gap(start_at, end_at) -%}
    {#- A pause of exactly the gap still belongs to the session. -#}
    {%- if var('session_gap_minutes') is none -%}
    false
    {%- else -%}
    ({{ seconds_between(start_at, end_at) }} > {{ var('session_gap_minutes') * 60 }})
    {%- endif -%}
{%- endmacro %}
