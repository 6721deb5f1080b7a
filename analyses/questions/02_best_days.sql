-- Which were our best days?
select
    event_date,
    day_kind,
    revenue,
    orders,
    buyers,
    average_order_value,
    same_weekday_median,
    round(anomaly_score, 1) as anomaly_score
from {{ ref('daily_sales_summary') }}
order by revenue desc, event_date asc
limit 10
