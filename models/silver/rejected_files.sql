{{ config(materialized='view') }}

with

source_files as (
    select * from {{ ref('source_files') }}
),

quarantined as (

    select
        _source_file,
        count(*) as quarantined_rows,
        count(case when rejection_reason <> 'duplicate' then 1 end) as rejected_rows
    from {{ ref('events_quarantined') }}
    group by _source_file

),

rejected_files as (

    select
        source_files._source_file,
        source_files.raw_rows,
        -- Every row is clean or quarantined, which a test holds.
        source_files.raw_rows - quarantined.quarantined_rows as clean_rows,
        quarantined.rejected_rows,
        quarantined.rejected_rows
        > {{ var('file_max_rejected_share') }} * source_files.raw_rows as is_above_limit
    from source_files
    inner join quarantined on source_files._source_file = quarantined._source_file
    where quarantined.rejected_rows > 0

)

select * from rejected_files
