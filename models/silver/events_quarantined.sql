{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

new_files as (
    select * from {{ since_last_batch(ref('source_files')) }}
),

clean_rows as (

    select
        _source_file,
        count(*) as clean_rows
    from {{ ref('events_cleaned') }}
    where _ingested_at in (select new_files._ingested_at from new_files)
    group by _source_file

),

unclean_files as (

    -- All rows of the other files are clean.
    select new_files.*
    from new_files
    left join clean_rows on new_files._source_file = clean_rows._source_file
    where new_files.raw_rows > coalesce(clean_rows.clean_rows, 0)

),

rule_breakers as (

    select
        *,
        cast(null as string) as event_id,
        0 as copy_number
    from {{ ref('events_staged') }}
    where
        rejection_reasons <> ''
        and _ingested_at in (select unclean_files._ingested_at from unclean_files)

),

copies as (
    select * from {{ ref('event_copies') }}
),

kept_events as (

    -- Few events can have copies, so that few are hashed.
    select
        {{ event_key('events') }} as event_id,
        events._source_file,
        events._ingested_at
    from {{ ref('events_cleaned') }} as events
    where
        events._batch_id >= (select min(unclean_files._batch_id) from unclean_files)
        and {{ has_key_in('events', ['event_time', 'user_id', 'product_id'], 'copies') }}

),

duplicates as (

    -- The kept copy came with one of these files or with an earlier one.
    select copies.*
    from copies
    inner join kept_events
        on copies.event_id = kept_events.event_id
    where
        copies.copy_number > 1
        or copies._ingested_at <> kept_events._ingested_at
        or copies._source_file <> kept_events._source_file

),

rejected as (
    select * from rule_breakers
    union all
    select * from duplicates
),

events_quarantined as (

    select
        rejected.event_time,
        rejected.raw_event_type as event_type,
        rejected.product_id,
        rejected.category_id,
        rejected.raw_category_code as category_code,
        rejected.raw_brand as brand,
        rejected.raw_price as price,
        rejected.user_id,
        rejected.raw_user_session as user_session,
        rejected._rescued_data,
        rejected._source_file,
        rejected._ingested_at,
        unclean_files._batch_id,
        coalesce(nullif(rejected.rejection_reasons, ''), 'duplicate') as rejection_reasons,
        coalesce(nullif(split_part(rejected.rejection_reasons, ',', 1), ''), 'duplicate')
            as rejection_reason
    from rejected
    inner join unclean_files on rejected._source_file = unclean_files._source_file

)

select * from events_quarantined
