{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_id', 'user_session'],
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
    meta={'replacing_rows': '_ingested_at < _updated_at'},
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

    {% if is_incremental() %}
        {{ possible_copies('valid', among='valid') }}
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

first_copies as (

    select {{ cleaned_event_columns('ranked') }}
    from ranked
    where ranked.copy_number = 1

    union all

    -- All other rows are taken as they come.
    select {{ cleaned_event_columns('valid') }}
    from valid
    where not exists (
        select 1 from compared
        where
            compared.event_time = valid.event_time
            and compared.user_id = valid.user_id
            and compared.product_id = valid.product_id
    )

),

{% if is_incremental() %}
    kept as (

        -- A late event can join or extend what stood as sessions, so all events of its tracker
        -- session are written again: what is built on them need not look for the older ones.
        -- Their ids are computed: to read them costs more, they are a third of the table.
        select
            {{ cleaned_event_columns('kept')
                | replace('kept.event_id', event_key() ~ ' as event_id') }}
        from {{ this }} as kept
        where
            kept.user_id in (select valid.user_id from valid)
            and kept.user_session in (select valid.user_session from valid)
            and exists (
                select 1 from valid
                where
                    valid.user_id = kept.user_id
                    and valid.user_session = kept.user_session
            )

    ),

    all_events as (

        -- Copies have the tracker session in common.
        select * from first_copies
        where event_id not in (select kept.event_id from kept)

        union all

        select * from kept

    ),
{% else %}
    all_events as (
        select * from first_copies
    ),
{% endif %}

{{ session_starts(moments) }},

events_cleaned as (

    select
        {{ cleaned_event_columns('all_events') }},
        (select max(source_files._ingested_at) from source_files) as _updated_at,
        {{ session_id('all_events') }} as session_id,
        cast(all_events.event_time as date) as event_date,
        cast(extract(hour from all_events.event_time) as int) as event_hour,
        nullif(split_part(all_events.category_code, '.', 1), '') as category_l1,
        nullif(split_part(all_events.category_code, '.', 2), '') as category_l2,
        nullif(split_part(all_events.category_code, '.', 3), '') as category_l3
    from all_events
    {{ join_session_starts('all_events') }}

)

select * from events_cleaned
