with

daily_completeness as (
    select * from {{ ref('daily_completeness') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

daily_visitors as (
    select * from {{ ref('daily_visitors') }}
),

daily_sessions as (
    select * from {{ ref('daily_sessions') }}
),

daily_orders as (
    select * from {{ ref('daily_orders') }}
),

daily_new_buyers as (
    select * from {{ ref('daily_new_buyers') }}
),

daily_revenue_changes as (
    select * from {{ ref('daily_revenue_changes') }}
),

daily_revenue_averages as (
    select * from {{ ref('daily_revenue_averages') }}
),

joined as (

    select
        daily_completeness.event_date,
        daily_completeness.day_kind,
        daily_completeness.is_left_censored,
        coalesce(daily_traffic.events, 0) as events,
        coalesce(daily_traffic.views, 0) as views,
        coalesce(daily_traffic.carts, 0) as carts,
        coalesce(daily_traffic.purchases, 0) as purchases,
        cast(coalesce(daily_traffic.revenue, 0) as decimal(18, 2)) as revenue,
        daily_traffic.peak_sales_hour,
        daily_traffic.peak_traffic_hour,
        coalesce(daily_visitors.visitors, 0) as visitors,
        coalesce(daily_visitors.buyers, 0) as buyers,
        coalesce(daily_sessions.sessions, 0) as sessions,
        coalesce(daily_sessions.sessions_with_purchase, 0) as sessions_with_purchase,
        coalesce(daily_orders.orders, 0) as orders,
        coalesce(daily_new_buyers.new_buyers, 0) as new_buyers
    from daily_completeness
    left join daily_traffic on daily_completeness.event_date = daily_traffic.event_date
    left join daily_visitors on daily_completeness.event_date = daily_visitors.event_date
    left join daily_sessions on daily_completeness.event_date = daily_sessions.session_date
    left join daily_orders on daily_completeness.event_date = daily_orders.order_date
    left join daily_new_buyers on daily_completeness.event_date = daily_new_buyers.order_date

),

daily_sales_summary as (

    select
        joined.event_date,
        -- 1970-01-01, day 0, was a Thursday.
        (unix_date(joined.event_date) + 3) % 7 >= 5 as is_weekend,
        joined.day_kind,
        joined.day_kind = 'complete' as is_complete,
        joined.is_left_censored,
        joined.events,
        joined.views,
        joined.carts,
        joined.purchases,
        joined.visitors,
        joined.sessions,
        joined.sessions_with_purchase,
        joined.orders,
        joined.buyers,
        joined.new_buyers,
        joined.revenue,
        {{ money_average('joined.revenue', 'joined.orders') }} as average_order_value,
        {{ rate('joined.sessions_with_purchase', 'joined.sessions') }} as session_conversion_rate,
        {{ rate('joined.buyers', 'joined.visitors') }} as visitor_conversion_rate,
        daily_revenue_changes.revenue_change_from_previous_day,
        daily_revenue_changes.revenue_change_rate_from_previous_day,
        daily_revenue_changes.revenue_change_from_same_weekday,
        daily_revenue_changes.revenue_change_rate_from_same_weekday,
        daily_revenue_averages.revenue_7d_average,
        daily_revenue_averages.revenue_7d_average_days,
        daily_revenue_averages.revenue_28d_average,
        daily_revenue_averages.revenue_28d_average_days,
        joined.peak_sales_hour,
        joined.peak_traffic_hour
    from joined
    inner join daily_revenue_changes on joined.event_date = daily_revenue_changes.event_date
    inner join daily_revenue_averages on joined.event_date = daily_revenue_averages.event_date

)

select * from daily_sales_summary
