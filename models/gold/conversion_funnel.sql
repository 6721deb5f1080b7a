with

calendar as (
    select * from {{ ref('calendar') }}
),

funnel_sessions as (
    select * from {{ ref('funnel_sessions') }}
),

counted as (

    select
        event_date,
        category_l1,
        count(*) as sessions,
        {{ count_where('views > 0') }} as sessions_with_view,
        {{ count_where('carts > 0') }} as sessions_with_cart,
        {{ count_where('purchases > 0') }} as sessions_with_purchase,
        {{ count_where('is_view_then_cart') }} as sessions_view_then_cart,
        {{ count_where('is_view_cart_purchase_in_order') }} as sessions_view_cart_purchase_in_order,
        {{ count_where('carts > 0 and purchases > 0') }} as sessions_with_cart_and_purchase,
        {{ count_where('carts = 0 and purchases > 0') }} as sessions_purchase_without_cart,
        {{ count_where('is_first_order') }} as new_buyers,
        cast(median(seconds_to_cart) as double) as median_seconds_to_cart,
        cast(median(seconds_to_purchase) as double) as median_seconds_to_purchase,
        cast(sum(revenue) as decimal(18, 2)) as revenue
    from funnel_sessions
    group by event_date, category_l1

),

quiet_days as (

    -- A day on which no session started still has its row, so that no series has a hole.
    select
        calendar.event_date,
        '(all)' as category_l1
    from calendar
    where calendar.event_date not in (select counted.event_date from counted)

),

all_days as (

    select
        coalesce(counted.event_date, quiet_days.event_date) as event_date,
        coalesce(counted.category_l1, quiet_days.category_l1) as category_l1,
        {% for count in [
            'sessions', 'sessions_with_view', 'sessions_with_cart', 'sessions_with_purchase',
            'sessions_view_then_cart', 'sessions_view_cart_purchase_in_order',
            'sessions_with_cart_and_purchase', 'sessions_purchase_without_cart', 'new_buyers',
        ] %}
            coalesce(counted.{{ count }}, 0) as {{ count }},
        {% endfor %}
        counted.median_seconds_to_cart,
        counted.median_seconds_to_purchase,
        cast(coalesce(counted.revenue, 0) as decimal(18, 2)) as revenue
    from counted
    full outer join quiet_days on counted.event_date = quiet_days.event_date

),

conversion_funnel as (

    select
        event_date,
        category_l1,
        sessions,
        sessions_with_view,
        sessions_with_cart,
        sessions_with_purchase,
        sessions_view_then_cart,
        sessions_view_cart_purchase_in_order,
        sessions_with_cart_and_purchase,
        sessions_purchase_without_cart,
        new_buyers,
        {{ rate('sessions_view_then_cart', 'sessions_with_view') }} as view_to_cart_rate,
        {{ rate('sessions_view_cart_purchase_in_order', 'sessions_view_then_cart') }}
            as cart_to_purchase_rate,
        {{ rate('sessions_with_purchase', 'sessions') }} as session_conversion_rate,
        {{ rate('sessions_with_view - sessions_view_then_cart', 'sessions_with_view') }}
            as view_drop_off_rate,
        {{ rate('sessions_with_cart - sessions_with_cart_and_purchase', 'sessions_with_cart') }}
            as cart_abandonment_rate,
        median_seconds_to_cart,
        median_seconds_to_purchase,
        revenue
    from all_days

)

select * from conversion_funnel
