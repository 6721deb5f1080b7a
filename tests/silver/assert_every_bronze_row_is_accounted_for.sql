-- Each bronze row of every source file is either clean or quarantined, once. Where one is not,
-- no model that counts events is built.
select
    _source_file,
    bronze_rows,
    silver_rows
from {{ ref('unaccounted_files') }}
