-- Sessions, user days and clean events agree on the total of events and revenue.
with

clean as (

    select
        count(*) as events,
        coalesce(sum(case when event_type = 'purchase' then price end), 0) as revenue
    from {{ ref('events_cleaned') }}

),

totals as (

    select
        'sessions' as relation,
        coalesce(sum(events), 0) as events,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('sessions') }}

    union all

    select
        'user_daily_activity' as relation,
        coalesce(sum(events), 0) as events,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('user_daily_activity') }}

)

select
    totals.*,
    clean.events as clean_events,
    clean.revenue as clean_revenue
from totals
cross join clean
where totals.events <> clean.events or totals.revenue <> clean.revenue
