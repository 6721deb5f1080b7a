{{ config(materialized='ephemeral') }}

with

weeks as (

    select
        cast(date_trunc('week', event_date) as date) as week_start,
        bool_or(is_left_censored) as is_left_censored
    from {{ ref('calendar') }}
    group by cast(date_trunc('week', event_date) as date)

),

cohorts as (

    select
        cohort_week,
        count(distinct user_id) as customers
    from {{ ref('order_weeks') }}
    group by cohort_week

),

numbers as (

    select cast(row_number() over (order by week_start) - 1 as int) as weeks_since_first_order
    from weeks

),

cohort_weeks as (

    select
        cohorts.cohort_week,
        numbers.weeks_since_first_order,
        weeks.is_left_censored,
        cohorts.customers,
        unix_date(cohorts.cohort_week) + 7 * numbers.weeks_since_first_order + 6
        <= unix_date({{ observed_until() }}) as is_observed
    from cohorts
    inner join weeks on cohorts.cohort_week = weeks.week_start
    cross join numbers

)

select * from cohort_weeks
