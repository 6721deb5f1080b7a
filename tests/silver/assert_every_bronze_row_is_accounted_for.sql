-- Lossless accounting: in every source file, each bronze row is either clean or quarantined, once.
with

bronze as (

    select
        _source_file,
        count(*) as number_of_rows
    from {{ raw_events() }}
    where
        _ingested_at <= (
            select max(source_files._ingested_at) from {{ ref('source_files') }} as source_files
        )
    group by _source_file

),

silver as (

    select
        _source_file,
        count(*) as number_of_rows
    from (
        select _source_file from {{ ref('events_cleaned') }}
        union all
        select _source_file from {{ ref('events_quarantined') }}
    ) as both_tables
    group by _source_file

)

select
    coalesce(bronze._source_file, silver._source_file) as _source_file,
    bronze.number_of_rows as bronze_rows,
    silver.number_of_rows as silver_rows
from bronze
full outer join silver on bronze._source_file = silver._source_file
where bronze.number_of_rows is distinct from silver.number_of_rows
