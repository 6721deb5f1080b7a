-- A var as_of_date before the newest event would give negative recencies: set it later or to null.
select
    as_of_date,
    max(last_seen_at) as newest_event
from {{ ref('users_dim') }}
group by as_of_date
having as_of_date < cast(max(last_seen_at) as date)
