{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['user_id', 'user_session'],
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
    meta={'delete_keys_where': '_first_batch_id < _batch_id'},
) }}

{%- set valid_events %}
    (
        select * from {{ rows_of_files(ref('events_staged'), 'new_files') }} as staged
        where rejection_reasons = ''
    )
{%- endset %}

with

new_files as (
    select * from {{ since_last_batch(ref('source_files')) }}
),

earlier_events as (
    -- A late event can extend or merge sessions, so its whole tracker session is rewritten.
    select * from {{ since_last_batch(ref('events_replaced')) }}
),

copies as (
    {{ numbered_copies(
        valid_events, among=[rows_of_files(raw_events(), 'new_files'), 'earlier_events']
    ) }}
),

first_copies as (

    select copies.*
    from copies
    left join earlier_events on {{ event_key('copies') }} = earlier_events.event_id
    where copies.copy_number = 1 and earlier_events.event_id is null

),

distinct_events as (

    select
        valid_events.*,
        1 as copy_number
    from {{ valid_events }} as valid_events
    where
        not exists (
            select 1 from copies
            where
                copies.event_time = valid_events.event_time
                and copies.user_id = valid_events.user_id
                and copies.product_id = valid_events.product_id
        )

    union all

    select * from first_copies

),

new_events as (

    select
        {{ event_key() }} as event_id,
        {{ event_columns() }},
        _source_file,
        _ingested_at,
        (select max(new_files._batch_id) from new_files) as _first_batch_id
    from distinct_events

),

all_events as (

    select * from new_events

    union all

    select
        event_id,
        {{ event_columns() }},
        _source_file,
        _ingested_at,
        _first_batch_id
    from earlier_events

),

{{ session_starts([valid_events, 'earlier_events']) }},

events_cleaned as (

    select
        all_events.*,
        (select max(new_files._batch_id) from new_files) as _batch_id,
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
