{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

raw_events as (

    select * from {{ raw_events() }}
    {% if is_incremental() %}
        where _ingested_at > (select max(stored._ingested_at) from {{ this }} as stored)
    {% endif %}

),

counted as (

    select
        _source_file,
        count(*) as raw_rows,
        max(_ingested_at) as _ingested_at
    from raw_events
    group by _source_file

),

source_files as (

    -- In the order of loading, so that a full refresh gives each file the same number.
    select
        _source_file,
        raw_rows,
        _ingested_at,
        {% if is_incremental() %} {{ last_batch(this) }} + {% endif %}
        cast(dense_rank() over (order by _ingested_at) as bigint) as _batch_id
    from counted

)

select * from source_files
