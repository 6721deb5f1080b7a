-- Figures of the page Cohorts.

-- name: cohorts
with

newest as (
    select max(cohort_week) as cohort_week
    from gold_layer.customer_cohorts
)

-- Half a year of cohorts, each for half a year: more cells are not legible.
select
    customer_cohorts.cohort_week,
    customer_cohorts.weeks_since_first_order,
    customer_cohorts.is_left_censored,
    customer_cohorts.is_observed,
    customer_cohorts.customers,
    customer_cohorts.returning_customers,
    customer_cohorts.return_rate,
    customer_cohorts.orders,
    customer_cohorts.revenue,
    customer_cohorts.cumulative_revenue_per_customer
from gold_layer.customer_cohorts
cross join newest
where
    customer_cohorts.cohort_week > newest.cohort_week - 26 * 7
    and customer_cohorts.weeks_since_first_order < 26
order by customer_cohorts.cohort_week, customer_cohorts.weeks_since_first_order;
