with

daily_completeness as (
    select * from {{ ref('daily_completeness') }}
),

funnel_daily as (
    select * from {{ ref('funnel_daily') }}
),

funnel_first_orders as (
    select * from {{ ref('funnel_first_orders') }}
),

quiet_days as (

    -- Days on which no session started keep a row, so that a time series has no gap.
    select
        daily_completeness.event_date,
        '(all)' as category_l1
    from daily_completeness
    where daily_completeness.event_date not in (select funnel_daily.event_date from funnel_daily)

),

all_days as (

    select
        coalesce(funnel_daily.event_date, quiet_days.event_date) as event_date,
        coalesce(funnel_daily.category_l1, quiet_days.category_l1) as category_l1,
        {% for count in funnel_conditions() %}
            coalesce(funnel_daily.{{ count }}, 0) as {{ count }},
        {% endfor %}
        funnel_daily.median_seconds_to_cart,
        funnel_daily.median_seconds_to_purchase,
        cast(coalesce(funnel_daily.revenue, 0) as decimal(18, 2)) as revenue
    from funnel_daily
    full outer join quiet_days on funnel_daily.event_date = quiet_days.event_date

),

conversion_funnel as (

    select
        all_days.event_date,
        all_days.category_l1,
        daily_completeness.day_kind,
        daily_completeness.day_kind = 'complete' as is_complete,
        daily_completeness.is_left_censored,
        all_days.sessions,
        all_days.sessions_with_view,
        all_days.sessions_with_cart,
        all_days.sessions_with_purchase,
        all_days.sessions_view_then_cart,
        all_days.sessions_view_cart_purchase_in_order,
        all_days.sessions_with_cart_and_purchase,
        all_days.sessions_purchase_without_cart,
        coalesce(funnel_first_orders.sessions_with_first_order, 0) as sessions_with_first_order,
        {{ rate('sessions_view_then_cart', 'sessions_with_view') }} as view_then_cart_rate,
        {{ rate('sessions_view_cart_purchase_in_order', 'sessions_view_then_cart') }}
            as cart_then_purchase_rate,
        {{ rate('sessions_with_purchase', 'sessions') }} as session_conversion_rate,
        {{ rate('sessions_with_view - sessions_view_then_cart', 'sessions_with_view') }}
            as view_drop_off_rate,
        {{ rate('sessions_with_cart - sessions_with_cart_and_purchase', 'sessions_with_cart') }}
            as cart_abandonment_rate,
        all_days.median_seconds_to_cart,
        all_days.median_seconds_to_purchase,
        all_days.revenue as session_revenue
    from all_days
    inner join daily_completeness on all_days.event_date = daily_completeness.event_date
    -- Only for the whole shop: a first order can touch several categories.
    left join funnel_first_orders
        on all_days.event_date = funnel_first_orders.event_date and all_days.category_l1 = '(all)'

)

select * from conversion_funnel
