-- Figures of the page Customers.

-- name: segments
select
    user_segment,
    count(*) as customers,
    cast(sum(orders) as bigint) as orders,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(revenue) / nullif(sum(orders), 0) as decimal(18, 2)) as average_order_value,
    cast(sum(expected_revenue_90d) as decimal(18, 2)) as expected_revenue_90d
from gold_layer.customer_metrics
group by user_segment
order by revenue desc, user_segment;

-- name: scores
select
    recency_score,
    frequency_score,
    count(*) as customers,
    cast(sum(revenue) as decimal(18, 2)) as revenue
from gold_layer.customer_metrics
where recency_score is not null
group by recency_score, frequency_score
order by frequency_score desc, recency_score;

-- name: rfm
select
    rfm_segment,
    count(*) as customers,
    cast(sum(orders) as bigint) as orders,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(revenue) / sum(orders) as decimal(18, 2)) as average_order_value,
    avg(days_since_last_purchase) as days_since_last_purchase
from gold_layer.customer_metrics
where rfm_segment is not null
group by rfm_segment
order by revenue desc, rfm_segment;

-- name: churn
select
    churn_risk,
    count(*) as customers,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(expected_revenue_90d) as decimal(18, 2)) as expected_revenue_90d
from gold_layer.customer_metrics
where churn_risk is not null
group by churn_risk
order by case churn_risk when 'low' then 1 when 'medium' then 2 else 3 end;

-- name: tenths
with

ranked as (
    select
        revenue,
        ntile(10) over (order by revenue desc, user_id) as tenth
    from gold_layer.customer_metrics
    where orders > 0
)

select
    tenth,
    count(*) as customers,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    sum(revenue) / nullif(sum(sum(revenue)) over (), 0) as revenue_share
from ranked
group by tenth
order by tenth;

-- name: new_and_returning
select
    cast(date_trunc('week', order_date) as date) as week,
    is_first_order,
    count(*) as orders,
    cast(sum(revenue) as decimal(18, 2)) as revenue
from gold_layer.orders
group by date_trunc('week', order_date), is_first_order
order by week, is_first_order desc;

-- name: weeks
select
    cast(date_trunc('week', event_date) as date) as week,
    count(*) as days,
    count(*) filter (where is_complete) as complete_days
from gold_layer.daily_sales_summary
group by date_trunc('week', event_date)
order by week;

-- name: second_orders
with

second_orders as (
    select days_since_previous_order as days
    from gold_layer.orders
    where order_number = 2
)

select
    case
        when days = 0 then 0
        when days <= 3 then 1
        when days <= 7 then 2
        when days <= 14 then 3
        when days <= 30 then 4
        else 5
    end as step,
    count(*) as customers
from second_orders
group by step
order by step;

-- name: repeat_rate
select
    count(*) as buyers,
    count(*) filter (where days_observed_after_first_order >= 30) as observed_buyers,
    count(*) filter (
        where days_observed_after_first_order >= 30 and days_to_second_order <= 30
    ) as returned_buyers,
    count(second_order_at) as buyers_of_two,
    cast(median(days_to_second_order) as double) as median_days
from gold_layer.customer_metrics
where orders > 0;

-- name: engagement
select
    count(*) as customers,
    count(*) filter (where is_active) as active_customers,
    count(*) filter (where orders > 0) as buyers,
    cast(sum(expected_revenue_90d) as decimal(18, 2)) as expected_revenue_90d
from gold_layer.customer_metrics;
