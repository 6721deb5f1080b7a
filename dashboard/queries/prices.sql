-- Figures of the page Prices.

-- name: totals
select
    count(*) as changes,
    count(*) filter (where price_change_rate < 0) as cuts,
    count(distinct product_id) as products,
    median(price_change_rate) filter (where price_change_rate < 0) as median_cut,
    median(price_change_rate) filter (where price_change_rate > 0) as median_rise,
    count(arc_elasticity) as measured,
    median(arc_elasticity) as median_elasticity
from gold_layer.price_changes;

-- name: sizes
with

steps as (
    select
        price_change_rate,
        case
            when price_change_rate < -0.3 then 1
            when price_change_rate < -0.2 then 2
            when price_change_rate < -0.1 then 3
            when price_change_rate < 0 then 4
            when price_change_rate <= 0.1 then 5
            when price_change_rate <= 0.2 then 6
            when price_change_rate <= 0.3 then 7
            else 8
        end as step
    from gold_layer.price_changes
)

select
    step,
    count(*) as changes
from steps
group by step
order by step;

-- name: weeks
select
    cast(date_trunc('week', changed_date) as date) as week,
    price_change_rate < 0 as is_cut,
    count(*) as changes
from gold_layer.price_changes
group by date_trunc('week', changed_date), price_change_rate < 0
order by week, is_cut desc;

-- name: categories
select
    coalesce(category_l1, '(none)') as category_l1,
    count(*) as changes,
    count(*) filter (where price_change_rate < 0) / count(*) as cut_share,
    median(abs(price_change_rate)) as median_size,
    count(arc_elasticity) as measured,
    median(arc_elasticity) as median_elasticity
from gold_layer.price_changes
group by coalesce(category_l1, '(none)')
order by changes desc, category_l1
limit 14;

-- name: elasticities
select
    product_id,
    brand,
    category_code,
    changed_date,
    price_before,
    price_after,
    price_change_rate,
    views_before,
    views_after,
    purchase_rate_before,
    purchase_rate_after,
    category_rate_change,
    arc_elasticity
from gold_layer.price_changes
where arc_elasticity is not null
order by views_before + views_after desc, product_id, changed_date
limit 25;
