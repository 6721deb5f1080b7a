-- Each bronze row of every source file is either clean or quarantined, once.
select
    _source_file,
    bronze_rows,
    silver_rows
from {{ ref('unaccounted_files') }}
