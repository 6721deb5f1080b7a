with

run_history as (
    select * from {{ source('history', 'run_history') }}
),

decisions as (

    select
        started_at as decided_at,
        status as decision,
        message,
        row_number() over (order by started_at desc, status desc) as newest_first
    from run_history
    where resource_type = 'gate'

),

gate_shut as (

    select
        decided_at,
        decision,
        message,
        1 as findings
    from decisions
    where newest_first = 1 and decision <> 'open'

)

select * from gate_shut
