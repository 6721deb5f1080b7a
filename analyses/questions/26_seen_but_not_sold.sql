-- Which products are often looked at and never bought?
select
    product_id,
    category_code,
    brand,
    current_price,
    views,
    viewers,
    carts,
    round(view_to_cart_rate, 4) as view_to_cart_rate
from {{ ref('product_performance') }}
where purchases = 0
order by viewers desc, views desc, product_id asc
limit 20
