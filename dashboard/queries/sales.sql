-- Figures of the page Sales.

-- name: months
select
    cast(date_trunc('month', event_date) as date) as month,
    count(*) as days,
    count(*) filter (where is_complete) as complete_days,
    dayofmonth(last_day(min(event_date))) as days_of_month,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(orders) as bigint) as orders,
    cast(sum(purchases) as bigint) as units,
    cast(sum(sessions) as bigint) as sessions,
    cast(sum(new_buyers) as bigint) as new_buyers,
    sum(revenue) / nullif(sum(orders), 0) as average_order_value,
    sum(sessions_with_purchase) / nullif(sum(sessions), 0) as session_conversion_rate
from gold_layer.daily_sales_summary
group by date_trunc('month', event_date)
order by month;

-- name: weekdays
select
    isodow(event_date) as weekday,
    count(*) as days,
    cast(avg(revenue) as decimal(18, 2)) as average_revenue,
    avg(orders) as average_orders,
    sum(sessions_with_purchase) / nullif(sum(sessions), 0) as session_conversion_rate
from gold_layer.daily_sales_summary
where is_complete
group by isodow(event_date)
order by weekday;

-- name: order_sizes
select
    least(units, 5) as units,
    count(*) as orders,
    cast(sum(revenue) as decimal(18, 2)) as revenue
from gold_layer.orders
group by least(units, 5)
order by units;

-- name: order_values
with

steps as (
    select
        revenue,
        case
            when revenue < 25 then 1
            when revenue < 50 then 2
            when revenue < 100 then 3
            when revenue < 200 then 4
            when revenue < 400 then 5
            when revenue < 800 then 6
            when revenue < 1600 then 7
            else 8
        end as step
    from gold_layer.orders
)

select
    step,
    count(*) as orders,
    cast(sum(revenue) as decimal(18, 2)) as revenue
from steps
group by step
order by step;

-- name: order_values_median
select
    count(*) as orders,
    cast(median(revenue) as decimal(18, 2)) as median_value,
    cast(avg(revenue) as decimal(18, 2)) as average_value
from gold_layer.orders;

-- name: hours
select
    weekday,
    hour,
    days,
    events,
    purchases,
    revenue,
    average_events,
    average_purchases,
    average_revenue
from gold_layer.shopping_hours
order by weekday, hour;
