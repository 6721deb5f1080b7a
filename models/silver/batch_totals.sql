{{ config(materialized='view') }}

-- depends_on: {{ ref('unaccounted_files') }}

with

new_files as (
    select * from {{ since_last_batch(ref('source_files'), of='released_files') }}
),

rejected_rows as (
    -- A duplicate is an event that is there already: exports may overlap.
    select * from {{ ref('events_quarantined') }}
    where
        rejection_reason <> 'duplicate'
        and _batch_id in (select new_files._batch_id from new_files)
),

batch_totals as (

    select
        cast(coalesce((select sum(new_files.raw_rows) from new_files), 0) as bigint) as new_rows,
        (select count(*) from rejected_rows) as rejected_rows

)

select * from batch_totals
