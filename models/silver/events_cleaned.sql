{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='event_id',
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
) }}

{#- Not an import: one that is read twice is kept, and all events do not fit into memory. -#}
{%- set moments = 'all_events' if is_incremental() else '(' ~ valid_events() ~ ')' %}

with

source_files as (
    select * from {{ ref('source_files') }}
),

valid as (
    {{ valid_events() }}
),

compared as (

    -- A whole build looks for copies among the rows that can have one.
    {% if is_incremental() %}
        select * from valid
    {% else %}
        select * from {{ ref('events_repeated') }}
        where
            rejection_reasons = ''
            and {{ is_new_and_covered() }}
    {% endif %}

),

ranked as (

    select
        *,
        row_number() over (
            partition by event_id order by _ingested_at, _source_file
        ) as copy_number
    from compared

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

    union all

    {% if is_incremental() %}
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
    {% else %}
        -- All other rows are taken as they come.
        select
            {{ cleaned_event_columns('valid') }},
            cast(null as string) as session_id
        from valid
        where not exists (
            select 1 from compared
            where
                compared.event_time = valid.event_time
                and compared.user_id = valid.user_id
                and compared.product_id = valid.product_id
        )
    {% endif %}

),

{{ session_starts(moments) }},

sessionised as (

    select
        {{ cleaned_event_columns('all_events') }},
        all_events.session_id as previous_session_id,
        coalesce(
            session_starts.session_id,
            {{ hash_key([
                'all_events.user_id', 'all_events.user_session', 'all_events.event_time',
            ]) }}
        ) as session_id
    from all_events
    left join session_starts
        on
            all_events.user_id = session_starts.user_id
            and all_events.user_session = session_starts.user_session
            and all_events.event_time >= session_starts.started_at
            and all_events.event_time < session_starts.next_started_at

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
