-- What the sessions, the user days and the clean events say in total must be the same.
with

totals as (

    select
        'events_cleaned' as relation,
        count(*) as events,
        coalesce(sum(case when event_type = 'purchase' then price end), 0) as revenue
    from {{ ref('events_cleaned') }}

    union all

    select
        'sessions' as relation,
        coalesce(sum(events), 0) as events,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('sessions') }}

    union all

    select
        'user_days' as relation,
        coalesce(sum(events), 0) as events,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('user_days') }}

)

select totals.*
from totals
inner join totals as clean on clean.relation = 'events_cleaned'
where totals.events <> clean.events or totals.revenue <> clean.revenue
