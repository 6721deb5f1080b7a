{{ config(materialized='view') }}

with

bronze as (

    select
        _source_file,
        count(*) as bronze_rows
    from {{ ref('events_staged') }}
    where _ingested_at <= (select max(files._ingested_at) from {{ ref('source_files') }} as files)
    group by _source_file

),

silver as (

    select
        _source_file,
        count(*) as silver_rows
    from (
        select _source_file from {{ ref('events_cleaned') }}
        union all
        select _source_file from {{ ref('events_quarantined') }}
    ) as both_tables
    group by _source_file

),

unaccounted_files as (

    select
        coalesce(bronze._source_file, silver._source_file) as _source_file,
        coalesce(bronze.bronze_rows, 0) as bronze_rows,
        coalesce(silver.silver_rows, 0) as silver_rows
    from bronze
    full outer join silver on bronze._source_file = silver._source_file
    where bronze.bronze_rows is distinct from silver.silver_rows

)

select * from unaccounted_files
