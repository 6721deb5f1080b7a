with

source_files as (
    select * from {{ ref('source_files') }}
),

events_quarantined as (
    select * from {{ ref('events_quarantined') }}
),

newest_load as (

    select max(_ingested_at) as newest_load_at
    from source_files

),

recent_files as (

    select
        source_files._batch_id,
        source_files.raw_rows
    from source_files
    cross join newest_load
    where
        unix_timestamp(newest_load.newest_load_at) - unix_timestamp(source_files._ingested_at)
        < {{ var('alert_days') }} * 86400

),

recent_rows as (

    select sum(raw_rows) as raw_rows
    from recent_files

),

reasons as (

    -- A duplicate is an event that is there already: exports may overlap.
    select
        rejection_reason,
        count(*) as rejected_rows
    from events_quarantined
    where
        rejection_reason <> 'duplicate'
        and _batch_id in (select recent_files._batch_id from recent_files)
    group by rejection_reason

),

shares as (

    select
        reasons.rejection_reason,
        reasons.rejected_rows,
        recent_rows.raw_rows,
        sum(reasons.rejected_rows) over () / recent_rows.raw_rows as rejected_share
    from reasons
    cross join recent_rows

),

quarantine_share as (

    select
        *,
        count(*) over () as findings
    from shares
    where rejected_share > {{ var('alert_max_rejected_share') }}

)

select * from quarantine_share
order by rejected_rows desc, rejection_reason asc
