-- Which days can we not compare, and how complete is each month?
select
    cast(date_trunc('month', event_date) as date) as month_start,
    day_kind,
    count(*) as days,
    min(event_date) as first_date,
    max(event_date) as last_date,
    sum(events) as events,
    sum(purchases) as purchases,
    sum(revenue) as revenue
from {{ ref('daily_sales_summary') }}
group by month_start, day_kind
order by month_start, day_kind
