-- Each bronze row of every source file is either clean or quarantined, once.
with

unaccounted_files as (
    select * from {{ ref('unaccounted_files') }}
)

select * from unaccounted_files
