-- Figures of the page Funnel and carts.

-- name: steps
select
    cast(sum(sessions) as bigint) as sessions,
    cast(sum(sessions_with_view) as bigint) as sessions_with_view,
    cast(sum(sessions_view_then_cart) as bigint) as sessions_view_then_cart,
    cast(sum(sessions_view_cart_purchase_in_order) as bigint) as sessions_in_order,
    cast(sum(sessions_with_purchase) as bigint) as sessions_with_purchase,
    cast(sum(sessions_purchase_without_cart) as bigint) as sessions_without_cart
from gold_layer.conversion_funnel
where category_l1 = '(all)' and is_complete;

-- name: categories
select
    category_l1,
    cast(sum(sessions) as bigint) as sessions,
    cast(sum(sessions_with_purchase) as bigint) as sessions_with_purchase,
    sum(sessions_view_then_cart) / nullif(sum(sessions_with_view), 0) as view_to_cart_rate,
    sum(sessions_with_cart_and_purchase) / nullif(sum(sessions_with_cart), 0)
        as cart_to_purchase_rate,
    sum(sessions_with_purchase) / nullif(sum(sessions), 0) as conversion_rate,
    sum(sessions_purchase_without_cart) / nullif(sum(sessions_with_purchase), 0)
        as without_cart_rate
from gold_layer.conversion_funnel
where category_l1 not in ('(all)', '(none)') and is_complete
group by category_l1
order by sessions desc, category_l1
limit 14;

-- name: days
select
    event_date,
    day_kind,
    is_complete,
    sessions_with_cart,
    sessions_with_cart_and_purchase,
    cart_abandonment_rate,
    view_then_cart_rate,
    session_conversion_rate,
    median_seconds_to_purchase
from gold_layer.conversion_funnel
where category_l1 = '(all)'
order by event_date;

-- name: carts
select
    count(*) as lines,
    cast(sum(cart_price) as decimal(18, 2)) as cart_value,
    count(*) filter (where is_observed and is_recovered) as recovered_lines,
    count(*) filter (where is_observed) as observed_lines,
    count(*) filter (where is_open) as open_lines,
    cast(sum(cart_price) filter (where is_open) as decimal(18, 2)) as open_value
from gold_layer.abandoned_carts;

-- name: cart_categories
select
    coalesce(category_l1, '(none)') as category_l1,
    count(*) as lines,
    cast(sum(cart_price) as decimal(18, 2)) as cart_value,
    cast(sum(cart_price) filter (where is_open) as decimal(18, 2)) as open_value,
    count(*) filter (where is_observed) as observed_lines,
    count(*) filter (where is_observed and is_recovered)
    / nullif(count(*) filter (where is_observed), 0)
        as recovery_rate
from gold_layer.abandoned_carts
group by coalesce(category_l1, '(none)')
order by cart_value desc, category_l1
limit 14;

-- name: cart_products
select
    product_id,
    max(category_code) as category_code,
    max(brand) as brand,
    count(*) as lines,
    cast(sum(cart_price) as decimal(18, 2)) as cart_value,
    cast(max(price_now) as decimal(18, 2)) as price_now,
    count(*) filter (where price_change_since_cart < 0) as cheaper_lines
from gold_layer.abandoned_carts
where is_open
group by product_id
order by cart_value desc, product_id
limit 20;
