{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='event_id',
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
) }}

with

staged as (
    select * from {{ ref('events_staged') }}
),

source_files as (
    select * from {{ ref('source_files') }}
),

valid as (

    -- Files that land while the build runs wait for the next one, here and in the quarantine.
    select * from staged
    where
        rejection_reasons = ''
        and {{ newly_ingested() }}
        and _ingested_at <= (select max(source_files._ingested_at) from source_files)

),

ranked as (

    select
        *,
        row_number() over (
            partition by event_id order by _ingested_at, _source_file
        ) as copy_number
    from valid

),

new_events as (

    select
        {{ cleaned_event_columns('ranked') }},
        cast(null as string) as session_id
    from ranked
    where
        ranked.copy_number = 1
        and {{ is_not_in_this_table('ranked') }}

),

all_events as (

    select * from new_events

    {% if is_incremental() %}
        union all

        -- A late event can join or extend what stood as sessions before it came.
        select
            {{ cleaned_event_columns('kept') }},
            kept.session_id
        from {{ this }} as kept
        where exists (
            select 1 from new_events
            where
                new_events.user_id = kept.user_id
                and new_events.user_session = kept.user_session
        )
    {% endif %}

),

pauses as (

    select
        *,
        lag(event_time) over (
            partition by user_id, user_session order by event_time
        ) as previous_event_time
    from all_events

),

started as (

    -- A range frame takes in all events of the second, in whatever order they come.
    select
        *,
        max(case
            when {{ is_session_start('previous_event_time', 'event_time') }} then event_time
        end) over (
            partition by user_id, user_session order by event_time
            range between unbounded preceding and current row
        ) as session_started_at
    from pauses

),

sessionised as (

    select
        {{ cleaned_event_columns() }},
        {{ hash_key(['user_id', 'user_session', 'session_started_at']) }} as session_id,
        session_id as previous_session_id
    from started

),

events_cleaned as (

    select
        {{ cleaned_event_columns() }},
        session_id,
        cast(event_time as date) as event_date,
        cast(extract(hour from event_time) as int) as event_hour,
        nullif(split_part(category_code, '.', 1), '') as category_l1,
        nullif(split_part(category_code, '.', 2), '') as category_l2,
        nullif(split_part(category_code, '.', 3), '') as category_l3
    from sessionised
    where previous_session_id is null or previous_session_id <> session_id

)

select * from events_cleaned
