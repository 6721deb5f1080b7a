-- Which days were unusual, against the same weekdays before?
select
    event_date,
    day_kind,
    revenue,
    same_weekday_median,
    round(anomaly_score, 1) as anomaly_score
from {{ ref('daily_sales_summary') }}
where abs(anomaly_score) > 3.5
order by event_date
