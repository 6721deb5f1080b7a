with

cohort_weeks as (
    select * from {{ ref('cohort_weeks') }}
),

ordered as (

    select
        cohort_week,
        (unix_date(order_week) - unix_date(cohort_week)) / 7 as weeks_since_first_order,
        count(distinct user_id) as returning_customers,
        count(*) as orders,
        sum(revenue) as revenue
    from {{ ref('order_weeks') }}
    group by cohort_week, order_week

),

measured as (

    -- A week without an order is zero, one that has not ended is unknown.
    select
        cohort_weeks.*,
        case when cohort_weeks.is_observed then coalesce(ordered.returning_customers, 0) end
            as returning_customers,
        case when cohort_weeks.is_observed then coalesce(ordered.orders, 0) end as orders,
        cast(
            case when cohort_weeks.is_observed then coalesce(ordered.revenue, 0) end
            as decimal(18, 2)
        ) as revenue
    from cohort_weeks
    left join ordered
        on
            cohort_weeks.cohort_week = ordered.cohort_week
            and cohort_weeks.weeks_since_first_order = ordered.weeks_since_first_order

),

cumulated as (

    select
        *,
        sum(revenue) over (
            partition by cohort_week order by weeks_since_first_order
        ) as cumulative_revenue
    from measured

),

customer_cohorts as (

    select
        cohort_week,
        weeks_since_first_order,
        is_left_censored,
        is_observed,
        customers,
        returning_customers,
        {{ rate('returning_customers', 'customers') }} as return_rate,
        orders,
        revenue,
        case when is_observed then {{ money_average('cumulative_revenue', 'customers') }} end
            as cumulative_revenue_per_customer
    from cumulated

)

select * from customer_cohorts
