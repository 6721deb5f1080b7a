-- How many different people visited us this month, against last month?
select
    month_start,
    is_whole_month,
    visitors,
    new_visitors,
    returning_visitors,
    buyers,
    round(
        cast(visitors as double) / nullif(lag(visitors) over (order by month_start), 0) - 1, 3
    ) as visitors_change_rate
from {{ ref('monthly_visitors') }}
order by month_start
