-- depends_on: {{ ref('batch_totals') }}

with

released_files as (
    select
        _source_file,
        raw_rows,
        _ingested_at,
        _batch_id
    from {{ ref('source_files') }}
)

select * from released_files
