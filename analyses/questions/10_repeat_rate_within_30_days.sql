-- Which share of our buyers orders again within 30 days?
select
    is_first_order_left_censored,
    count(*) as buyers,
    count(*) filter (where days_to_second_order <= 30) as repeat_buyers,
    round(
        cast(count(*) filter (where days_to_second_order <= 30) as double) / count(*), 4
    ) as repeat_rate
from {{ ref('customer_metrics') }}
where days_observed_after_first_order >= 30
group by is_first_order_left_censored
order by is_first_order_left_censored
