with

calendar as (
    select * from {{ ref('calendar') }}
),

funnel_daily as (
    select * from {{ ref('funnel_daily') }}
),

funnel_new_buyers as (
    select * from {{ ref('funnel_new_buyers') }}
),

quiet_days as (

    -- Days on which no session started keep a row, so that a time series has no gap.
    select
        calendar.event_date,
        '(all)' as category_l1
    from calendar
    where calendar.event_date not in (select funnel_daily.event_date from funnel_daily)

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
        all_days.sessions,
        all_days.sessions_with_view,
        all_days.sessions_with_cart,
        all_days.sessions_with_purchase,
        all_days.sessions_view_then_cart,
        all_days.sessions_view_cart_purchase_in_order,
        all_days.sessions_with_cart_and_purchase,
        all_days.sessions_purchase_without_cart,
        coalesce(funnel_new_buyers.new_buyers, 0) as new_buyers,
        {{ rate('sessions_view_then_cart', 'sessions_with_view') }} as view_to_cart_rate,
        {{ rate('sessions_view_cart_purchase_in_order', 'sessions_view_then_cart') }}
            as cart_to_purchase_rate,
        {{ rate('sessions_with_purchase', 'sessions') }} as session_conversion_rate,
        {{ rate('sessions_with_view - sessions_view_then_cart', 'sessions_with_view') }}
            as view_drop_off_rate,
        {{ rate('sessions_with_cart - sessions_with_cart_and_purchase', 'sessions_with_cart') }}
            as cart_abandonment_rate,
        all_days.median_seconds_to_cart,
        all_days.median_seconds_to_purchase,
        all_days.revenue
    from all_days
    -- Only for the whole shop: a first order can touch several categories.
    left join funnel_new_buyers
        on all_days.event_date = funnel_new_buyers.event_date and all_days.category_l1 = '(all)'

)

select * from conversion_funnel
