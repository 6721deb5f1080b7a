-- Lossless accounting: in every source file, each bronze row is either clean or quarantined, once.
with

unaccounted_files as (
    {{ unaccounted_files() }}
)

select * from unaccounted_files
