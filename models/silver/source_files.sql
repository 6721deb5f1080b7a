{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

events_staged as (

    select * from {{ ref('events_staged') }}
    {% if is_incremental() %}
        where _ingested_at > (
            select coalesce(max(stored._ingested_at), cast('1970-01-01' as timestamp))
            from {{ this }} as stored
        )
    {% endif %}

),

counted as (

    select
        _source_file,
        count(*) as raw_rows,
        max(_ingested_at) as _ingested_at
    from events_staged
    group by _source_file

),

source_files as (

    -- In the order of loading, so that a full refresh gives each file the same number.
    select
        _source_file,
        raw_rows,
        _ingested_at,
        {% if is_incremental() %}
            (select coalesce(max(stored._batch_id), 0) from {{ this }} as stored) +
        {% endif %}
        cast(dense_rank() over (order by _ingested_at) as bigint) as _batch_id
    from counted

)

select * from source_files
