-- Figures of the dashboard that the static site has from other queries, or not at all.

-- name: shop
select
    measure(revenue) as revenue,
    measure(orders) as orders,
    measure(sessions) as sessions,
    measure(new_buyers) as new_buyers,
    measure(average_order_value) as average_order_value,
    measure(session_conversion_rate) as session_conversion_rate
from gold_layer.sales_metrics

-- name: months
select
    date_trunc('month', sales_date) as month,
    measure(revenue) as revenue,
    measure(new_buyer_revenue) as new_buyer_revenue,
    measure(orders) as orders,
    measure(sessions) as sessions,
    measure(average_order_value) as average_order_value,
    measure(session_conversion_rate) as session_conversion_rate
from gold_layer.sales_metrics
group by date_trunc('month', sales_date)
order by month

-- name: carts
select
    measure(view_then_cart_rate) as view_then_cart_rate,
    measure(cart_abandonment_rate) as cart_abandonment_rate
from gold_layer.funnel_metrics

-- name: buyers_back
select
    measure(buyers_observed_30_days) as observed_buyers,
    measure(repeat_rate_30_days) as repeat_rate_30_days
from gold_layer.repeat_metrics

-- name: return_rates
select
    weeks_since_first_order,
    sum(returning_customers) / nullif(sum(customers), 0) as return_rate,
    sum(revenue) / nullif(sum(customers), 0) as revenue_per_customer
from gold_layer.customer_cohorts
where is_observed
group by weeks_since_first_order
order by weeks_since_first_order

-- name: category_weeks
with

largest as (
    select
        category_l1,
        sum(revenue) as total_revenue
    from gold_layer.category_brand_days
    group by category_l1
    order by total_revenue desc, category_l1
    limit 6
)

select
    cast(date_trunc('week', days.event_date) as date) as week,
    days.category_l1,
    cast(sum(days.revenue) as decimal(18, 2)) as week_revenue
from gold_layer.category_brand_days as days
inner join largest on days.category_l1 = largest.category_l1
group by date_trunc('week', days.event_date), days.category_l1
order by week, category_l1

-- name: brands
select
    brand,
    cast(sum(revenue) as decimal(18, 2)) as brand_revenue,
    cast(sum(purchases) as bigint) as units
from gold_layer.category_brand_days
where brand <> '(none)'
group by brand
order by brand_revenue desc, brand
limit 12

-- name: totals_of_marts
select
    'daily_sales_summary' as mart,
    sum(revenue) as revenue
from gold_layer.daily_sales_summary
union all
select
    'product_performance' as mart,
    sum(revenue) as revenue
from gold_layer.product_performance
union all
select
    'conversion_funnel' as mart,
    sum(session_revenue) as revenue
from gold_layer.conversion_funnel
where category_l1 = '(all)'
union all
select
    'orders' as mart,
    sum(revenue) as revenue
from gold_layer.orders
union all
select
    'category_brand_days' as mart,
    sum(revenue) as revenue
from gold_layer.category_brand_days
order by mart
