with

months as (

    select
        cast(date_trunc('month', event_date) as date) as month_start,
        count(*) as days
    from {{ ref('calendar') }}
    group by cast(date_trunc('month', event_date) as date)

),

visits as (

    select
        cast(date_trunc('month', event_date) as date) as month_start,
        count(*) as visitor_days,
        count(distinct user_id) as visitors,
        count(distinct case when purchases > 0 then user_id end) as buyers
    from {{ ref('user_daily_activity') }}
    group by cast(date_trunc('month', event_date) as date)

),

first_visits as (

    select
        cast(date_trunc('month', event_date) as date) as month_start,
        cast(sum(new_visitors) as bigint) as new_visitors
    from {{ ref('daily_new_visitors') }}
    group by cast(date_trunc('month', event_date) as date)

),

monthly_visitors as (

    select
        months.month_start,
        months.days,
        months.days = unix_date(last_day(months.month_start)) - unix_date(months.month_start) + 1
            as is_whole_month,
        coalesce(visits.visitors, 0) as visitors,
        coalesce(first_visits.new_visitors, 0) as new_visitors,
        coalesce(visits.visitors, 0) - coalesce(first_visits.new_visitors, 0)
            as returning_visitors,
        coalesce(visits.buyers, 0) as buyers,
        coalesce(visits.visitor_days, 0) as visitor_days,
        -- The engines differ in the last digit of a double.
        round({{ rate('coalesce(visits.visitor_days, 0)', 'months.days') }}, 6)
            as average_daily_visitors,
        round({{ rate('visits.visitor_days', 'visits.visitors * months.days') }}, 6) as stickiness
    from months
    left join visits on months.month_start = visits.month_start
    left join first_visits on months.month_start = first_visits.month_start

)

select * from monthly_visitors
