-- What is a buyer worth some weeks after the first order?
select
    weeks_since_first_order,
    count(*) as cohorts,
    sum(customers) as customers,
    round(
        cast(sum(cumulative_revenue_per_customer * customers) as double) / sum(customers), 2
    ) as cumulative_revenue_per_customer
from {{ ref('customer_cohorts') }}
where is_observed and not is_left_censored
group by weeks_since_first_order
order by weeks_since_first_order
