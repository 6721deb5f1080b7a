-- Figures of the page Products.

-- name: totals
select
    count(*) as products,
    count(*) filter (where purchases > 0) as sold_products,
    count(*) filter (where views > 0 and purchases = 0) as unsold_products,
    count(revenue_28d_before) > 0 as has_both_periods
from gold_layer.product_performance;

-- name: classes
select
    coalesce(pareto_class, 'never sold') as pareto_class,
    count(*) as products,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(purchases) as bigint) as units,
    cast(sum(views) as bigint) as views
from gold_layer.product_performance
group by coalesce(pareto_class, 'never sold')
order by pareto_class;

-- name: curve
with

ranked as (
    select
        revenue,
        ntile(20) over (order by revenue_rank, product_id) as twentieth
    from gold_layer.product_performance
    where purchases > 0
),

twentieths as (
    select
        twentieth,
        count(*) as products,
        cast(sum(revenue) as decimal(18, 2)) as revenue
    from ranked
    group by twentieth
)

select
    twentieth,
    products,
    revenue,
    sum(products) over (order by twentieth) / sum(products) over () as product_share,
    sum(revenue) over (order by twentieth) / nullif(sum(revenue) over (), 0) as cumulative_share
from twentieths
order by twentieth;

-- name: best
select
    product_id,
    category_code,
    brand,
    pareto_class,
    revenue,
    revenue_share,
    purchases,
    views,
    view_to_purchase_rate,
    current_price
from gold_layer.product_performance
where purchases > 0
order by revenue_rank, product_id
limit 25;

-- name: seen_not_sold
select
    product_id,
    category_code,
    brand,
    views,
    viewers,
    carts,
    current_price
from gold_layer.product_performance
where purchases = 0 and views > 0
order by views desc, product_id
limit 25;

-- name: trends
with

moved as (
    select
        product_id,
        category_code,
        brand,
        revenue_28d,
        revenue_28d_before,
        revenue_change_rate_28d,
        revenue_28d - revenue_28d_before as revenue_change,
        row_number() over (order by revenue_28d - revenue_28d_before desc, product_id) as rise,
        row_number() over (order by revenue_28d - revenue_28d_before, product_id) as fall
    from gold_layer.product_performance
    where revenue_28d is not null and revenue_28d_before is not null
)

select
    product_id,
    category_code,
    brand,
    revenue_28d,
    revenue_28d_before,
    revenue_change,
    revenue_change_rate_28d
from moved
where (rise <= 8 and revenue_change > 0) or (fall <= 8 and revenue_change < 0)
order by revenue_change desc, product_id;
