-- Each day has as many entries, and as many exits, as sessions.
with

steps as (

    select
        session_date,
        sum(case when from_category_l1 = '(entry)' then steps else 0 end) as entries,
        sum(case when to_category_l1 = '(exit)' then steps else 0 end) as exits
    from {{ ref('session_steps') }}
    group by session_date

),

calendar_days as (

    select
        event_date,
        sessions
    from {{ ref('daily_sales_summary') }}

)

select
    calendar_days.*,
    steps.entries,
    steps.exits
from calendar_days
left join steps on calendar_days.event_date = steps.session_date
where
    coalesce(steps.entries, 0) <> calendar_days.sessions
    or coalesce(steps.exits, 0) <> calendar_days.sessions
