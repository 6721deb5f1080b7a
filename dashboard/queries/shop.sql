-- Figures of the whole shop that several pages share.

-- name: state
select
    (select min(event_date) from gold_layer.daily_sales_summary) as first_date,
    (select max(event_date) from gold_layer.daily_sales_summary) as as_of_date,
    (select max(_ingested_at) from silver_layer.source_files) as loaded_at

-- name: days
select
    event_date,
    day_kind,
    is_complete,
    is_left_censored,
    events,
    visitors,
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
order by event_date

-- name: buyers
with

as_of as (
    select max(event_date) as as_of_date
    from gold_layer.daily_sales_summary
)

select
    count(distinct orders.user_id) as buyers,
    count(distinct case when orders.order_date > as_of_date - 28 then orders.user_id end)
        as buyers_28d,
    count(
        distinct case
            when orders.order_date <= as_of_date - 28 and orders.order_date > as_of_date - 56
                then orders.user_id
        end
    ) as buyers_28d_before
from gold_layer.orders
cross join as_of

-- name: top_categories
select
    category_l1,
    cast(sum(revenue) as decimal(18, 2)) as revenue,
    cast(sum(purchases) as bigint) as units
from gold_layer.category_brand_days
group by category_l1
order by revenue desc, category_l1

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
limit 12
