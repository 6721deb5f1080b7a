-- Revenue of a day is that of its new buyers and that of who bought on an earlier day; each user is
-- a new visitor once.
with

purchases as (

    select
        user_id,
        event_date,
        price,
        min(event_date) over (partition by user_id) as first_date
    from {{ ref('events_cleaned') }}
    where event_type = 'purchase'

),

counted as (

    select
        event_date,
        sum(case when event_date = first_date then price else 0 end) as new_buyer_revenue,
        sum(case when event_date > first_date then price else 0 end) as returning_revenue,
        count(distinct case when event_date > first_date then user_id end) as returning_buyers
    from purchases
    group by event_date

),

days as (

    select
        summary.event_date,
        summary.revenue = coalesce(counted.new_buyer_revenue + counted.returning_revenue, 0)
        and summary.new_buyer_revenue = coalesce(counted.new_buyer_revenue, 0)
        and summary.returning_buyers = coalesce(counted.returning_buyers, 0) as adds_up
    from {{ ref('daily_sales_summary') }} as summary
    left join counted on summary.event_date = counted.event_date

    union all

    select
        null as event_date,
        coalesce(sum(new_visitors), 0) = (select count(*) from {{ ref('customer_metrics') }})
            as adds_up
    from {{ ref('daily_sales_summary') }}

)

select * from days
where not adds_up
