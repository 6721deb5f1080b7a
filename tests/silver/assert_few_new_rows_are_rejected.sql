-- The quality gate of a local run, where one build makes silver and gold: where it fails, no model
-- that counts events is built.
select
    new_rows,
    rejected_rows
from {{ ref('batch_totals') }}
where rejected_rows > {{ gate_max_share() }} * new_rows
