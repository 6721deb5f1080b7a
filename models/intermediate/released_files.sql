-- depends_on: {{ ref('batch_totals') }}

with

released_files as (
    select * from {{ ref('source_files') }}
)

select * from released_files
