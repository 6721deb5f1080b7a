-- Figures of the whole shop that several pages share.

-- name: state
select
    (select min(event_date) from gold_layer.daily_sales_summary) as first_date,
    (select max(event_date) from gold_layer.daily_sales_summary) as last_date,
    (select max(as_of_date) from gold_layer.customer_metrics) as as_of_date,
    (select max(_ingested_at) from silver_layer.source_files) as loaded_at;

-- name: days
select
    event_date,
    day_kind,
    is_complete,
    is_left_censored,
    events,
    visitors,
    new_visitors,
    sessions,
    sessions_with_purchase,
    orders,
    buyers,
    new_buyers,
    purchases,
    revenue,
    average_order_value,
    session_conversion_rate,
    revenue_7d_average,
    revenue_7d_average_days
from gold_layer.daily_sales_summary
order by event_date;

-- name: buyers
with

as_of as (
    select max(as_of_date) as as_of_date
    from gold_layer.customer_metrics
)

select
    count(distinct orders.user_id) as buyers,
    count(distinct case when orders.order_date > as_of.as_of_date - 28 then orders.user_id end)
        as buyers_28d,
    count(
        distinct case
            when
                orders.order_date <= as_of.as_of_date - 28
                and orders.order_date > as_of.as_of_date - 56
                then orders.user_id
        end
    ) as buyers_28d_before
from gold_layer.orders
cross join as_of;

-- name: top_categories
select
    category_l1,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(purchases) as bigint) as units
from gold_layer.category_brand_days
group by category_l1
order by revenue desc, category_l1;

-- name: top_brands
select
    brand,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(purchases) as bigint) as units
from gold_layer.category_brand_days
where brand <> '(none)'
group by brand
having sum(revenue) > 0
order by revenue desc, brand
limit 12;

-- name: visitors_by_month
select
    month_start as month,
    days,
    is_whole_month,
    visitors,
    new_visitors,
    returning_visitors,
    buyers,
    average_daily_visitors,
    stickiness
from gold_layer.monthly_visitors
order by month_start;

-- name: metrics_by_month
with

days as (
    select
        cast(date_trunc('month', event_date) as date) as month,
        sum(revenue) as revenue,
        sum(orders) as orders,
        sum(purchases) as units,
        sum(sessions) as sessions,
        sum(sessions_with_purchase) as sessions_with_purchase,
        sum(new_visitors) as new_visitors,
        sum(new_buyers) as new_buyers,
        sum(new_buyer_revenue) as new_buyer_revenue
    from gold_layer.daily_sales_summary
    group by date_trunc('month', event_date)
),

funnel as (
    select
        cast(date_trunc('month', event_date) as date) as month,
        sum(sessions_with_view) as sessions_with_view,
        sum(sessions_view_then_cart) as sessions_view_then_cart,
        sum(sessions_with_cart) as sessions_with_cart,
        sum(sessions_with_cart_and_purchase) as sessions_with_cart_and_purchase
    from gold_layer.conversion_funnel
    where category_l1 = '(all)'
    group by date_trunc('month', event_date)
),

repeats as (
    select
        cast(date_trunc('month', first_order_at) as date) as month,
        count(*) as buyers_observed_30_days,
        count(*) filter (where days_to_second_order <= 30) as buyers_back_within_30_days
    from gold_layer.customer_metrics
    where days_observed_after_first_order >= 30
    group by date_trunc('month', first_order_at)
)

select
    days.month,
    visits.is_whole_month as is_whole,
    days.revenue,
    days.revenue / nullif(lag(days.revenue) over (order by days.month), 0) - 1
        as revenue_change_rate_month,
    cast(days.orders as bigint) as orders,
    cast(days.units as bigint) as units,
    days.revenue / nullif(days.orders, 0) as average_order_value,
    days.units / nullif(days.orders, 0) as units_per_order,
    cast(days.orders - days.new_buyers as bigint) as repeat_orders,
    visits.visitors,
    cast(days.new_visitors as bigint) as new_visitors,
    visits.buyers,
    cast(days.new_buyers as bigint) as new_buyers,
    cast(visits.buyers - days.new_buyers as bigint) as returning_buyers,
    days.new_buyer_revenue,
    days.new_buyer_revenue / nullif(days.revenue, 0) as new_buyer_revenue_share,
    visits.buyers / nullif(visits.visitors, 0) as visitor_conversion_rate,
    cast(days.sessions as bigint) as sessions,
    cast(days.sessions_with_purchase as bigint) as sessions_with_purchase,
    days.sessions_with_purchase / nullif(days.sessions, 0) as session_conversion_rate,
    days.revenue / nullif(days.sessions, 0) as revenue_per_session,
    cast(funnel.sessions_with_view as bigint) as sessions_with_view,
    cast(funnel.sessions_view_then_cart as bigint) as sessions_view_then_cart,
    funnel.sessions_view_then_cart / nullif(funnel.sessions_with_view, 0) as view_then_cart_rate,
    cast(funnel.sessions_with_cart as bigint) as sessions_with_cart,
    cast(funnel.sessions_with_cart_and_purchase as bigint) as sessions_with_cart_and_purchase,
    1 - funnel.sessions_with_cart_and_purchase / nullif(funnel.sessions_with_cart, 0)
        as cart_abandonment_rate,
    coalesce(repeats.buyers_observed_30_days, 0) as buyers_observed_30_days,
    coalesce(repeats.buyers_back_within_30_days, 0) as buyers_back_within_30_days,
    repeats.buyers_back_within_30_days / nullif(repeats.buyers_observed_30_days, 0)
        as repeat_rate_30_days
from days
inner join gold_layer.monthly_visitors as visits on days.month = visits.month_start
inner join funnel on days.month = funnel.month
left join repeats on days.month = repeats.month
order by days.month;
