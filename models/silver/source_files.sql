{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

raw_events as (
    select * from {{ raw_events() }}
    where {{ newly_ingested() }}
),

source_files as (

    select
        _source_file,
        count(*) as raw_rows,
        max(_ingested_at) as _ingested_at
    from raw_events
    group by _source_file

)

select * from source_files
