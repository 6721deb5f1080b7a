-- Which share of the buyers of a week comes back in the weeks after?
select
    cohort_week,
    is_left_censored,
    weeks_since_first_order,
    customers,
    returning_customers,
    round(return_rate, 3) as return_rate
from {{ ref('customer_cohorts') }}
where is_observed
order by cohort_week, weeks_since_first_order
