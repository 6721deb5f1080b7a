with

daily_sales_summary as (
    select * from {{ ref('daily_sales_summary') }}
),

complete_days as (

    -- An incomplete day has its own alert, and a catch-up day the revenue of that one.
    select
        event_date,
        revenue,
        same_weekday_median,
        anomaly_score,
        unix_date(max(event_date) over ()) - unix_date(event_date) as days_before_newest
    from daily_sales_summary
    where is_complete

),

revenue_anomaly as (

    select
        event_date,
        revenue,
        same_weekday_median,
        anomaly_score,
        count(*) over () as findings
    from complete_days
    where
        abs(anomaly_score) > {{ var('alert_min_anomaly_score') }}
        and days_before_newest < {{ var('alert_days') }}

)

select * from revenue_anomaly
order by event_date desc
