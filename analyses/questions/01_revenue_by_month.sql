-- How does revenue develop from month to month?
select
    cast(date_trunc('month', event_date) as date) as month_start,
    count(*) as days,
    count(*) filter (where is_complete) as complete_days,
    sum(revenue) as revenue,
    sum(orders) as orders,
    round(cast(sum(revenue) as double) / nullif(sum(orders), 0), 2) as average_order_value,
    round(cast(avg(case when is_complete then revenue end) as double), 2)
        as revenue_per_complete_day
from {{ ref('daily_sales_summary') }}
group by month_start
order by month_start
