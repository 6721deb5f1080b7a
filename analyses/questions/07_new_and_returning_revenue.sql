-- How much of our revenue is from new buyers, and how much from those who return?
select
    cast(date_trunc('week', event_date) as date) as week_start,
    bool_or(is_left_censored) as is_left_censored,
    count(*) filter (where not is_complete) as incomplete_days,
    sum(new_buyers) as new_buyers,
    sum(new_buyer_revenue) as new_buyer_revenue,
    sum(revenue) - sum(new_buyer_revenue) as returning_buyer_revenue,
    round(1 - cast(sum(new_buyer_revenue) as double) / nullif(sum(revenue), 0), 3)
        as returning_share
from {{ ref('daily_sales_summary') }}
group by week_start
order by week_start
