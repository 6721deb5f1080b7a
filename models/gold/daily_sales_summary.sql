with

daily_completeness as (
    select * from {{ ref('daily_completeness') }}
),

daily_totals as (
    select * from {{ ref('daily_totals') }}
),

daily_revenue_changes as (
    select * from {{ ref('daily_revenue_changes') }}
),

daily_revenue_averages as (
    select * from {{ ref('daily_revenue_averages') }}
),

daily_anomalies as (
    select * from {{ ref('daily_anomalies') }}
),

daily_sales_summary as (

    select
        totals.event_date,
        -- 1970-01-01, day 0, was a Thursday.
        (unix_date(totals.event_date) + 3) % 7 >= 5 as is_weekend,
        daily_completeness.day_kind,
        daily_completeness.day_kind = 'complete' as is_complete,
        daily_completeness.is_left_censored,
        totals.events,
        totals.views,
        totals.carts,
        totals.purchases,
        totals.visitors,
        totals.new_visitors,
        totals.sessions,
        totals.sessions_with_purchase,
        totals.orders,
        totals.buyers,
        totals.new_buyers,
        totals.buyers - totals.new_buyers as returning_buyers,
        totals.revenue,
        totals.new_buyer_revenue,
        {{ money_average('totals.revenue', 'totals.orders') }} as average_order_value,
        {{ rate('totals.purchases', 'totals.orders') }} as units_per_order,
        {{ rate('totals.sessions_with_purchase', 'totals.sessions') }} as session_conversion_rate,
        {{ rate('totals.buyers', 'totals.visitors') }} as visitor_conversion_rate,
        daily_revenue_changes.revenue_change_from_previous_day,
        daily_revenue_changes.revenue_change_rate_from_previous_day,
        daily_revenue_changes.revenue_change_from_same_weekday,
        daily_revenue_changes.revenue_change_rate_from_same_weekday,
        daily_revenue_averages.revenue_7d_average,
        daily_revenue_averages.revenue_7d_average_days,
        daily_revenue_averages.revenue_28d_average,
        daily_revenue_averages.revenue_28d_average_days,
        daily_anomalies.same_weekday_median,
        daily_anomalies.anomaly_score,
        totals.peak_sales_hour,
        totals.peak_traffic_hour
    from daily_totals as totals
    inner join daily_completeness on totals.event_date = daily_completeness.event_date
    inner join daily_revenue_changes on totals.event_date = daily_revenue_changes.event_date
    inner join daily_revenue_averages on totals.event_date = daily_revenue_averages.event_date
    left join daily_anomalies on totals.event_date = daily_anomalies.event_date

)

select * from daily_sales_summary
