-- How often do our visitors come within a month?
select
    month_start,
    is_whole_month,
    visitors,
    round(average_daily_visitors, 1) as average_daily_visitors,
    round(stickiness, 4) as stickiness,
    round(cast(visitor_days as double) / nullif(visitors, 0), 2) as days_per_visitor
from {{ ref('monthly_visitors') }}
order by month_start
