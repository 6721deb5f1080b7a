{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

{#- While dbt looks for dependencies, nothing is incremental. -#}
{%- set bronze = raw_events() if is_incremental() or not execute %}

with

source_files as (
    select * from {{ ref('source_files') }}
),

rule_breakers as (
    select * from {{ ref('events_staged') }}
    where
        rejection_reasons <> ''
        and {{ is_new_and_covered() }}
),

events_cleaned as (
    -- The tracker sessions of all rows to compare, which events_cleaned has just written.
    select * from {{ ref('events_cleaned') }}
    where {{ is_above_watermark('_updated_at', '_ingested_at') }}
),

{% if is_incremental() %}
    new_raw_events as (
        select * from {{ bronze }}
        where {{ is_new_and_covered() }}
    ),

    new_and_earlier as (

        select event_time, user_id, product_id from new_raw_events
        union all
        select event_time, user_id, product_id from events_cleaned
        where not {{ newly_ingested() }}

    ),

    raw_copies as (
        {{ possible_copies('new_raw_events', among='new_and_earlier') }}
    ),

    {{ staged_events('raw_copies') }},

    compared as (
        select * from judged
        where rejection_reasons = ''
    ),
{% else %}
    compared as (
        select * from {{ ref('events_repeated') }}
        where
            rejection_reasons = ''
            and {{ is_new_and_covered() }}
    ),
{% endif %}

copies as (

    select
        *,
        row_number() over (
            partition by event_id
            order by
                _ingested_at, _source_file,
                raw_event_type, raw_category_code, raw_brand, raw_price, raw_user_session
        ) as copy_number
    from compared

),

duplicates as (

    -- The first copy stands in events_cleaned; one that came with an earlier file stands there too.
    select copies.*
    from copies
    inner join events_cleaned
        on
            copies.event_time = events_cleaned.event_time
            and copies.event_id = events_cleaned.event_id
    where
        copies.copy_number > 1
        or copies._ingested_at <> events_cleaned._ingested_at
        or copies._source_file <> events_cleaned._source_file

),

rejected as (

    select
        {{ bronze_event_columns() }},
        rejection_reasons
    from rule_breakers

    union all

    select
        {{ bronze_event_columns() }},
        'duplicate' as rejection_reasons
    from duplicates

),

events_quarantined as (

    select
        *,
        split_part(rejection_reasons, ',', 1) as rejection_reason
    from rejected

)

select * from events_quarantined
