-- Which products are gaining, and which are losing?
select
    product_id,
    category_code,
    brand,
    current_price,
    revenue_28d,
    revenue_28d_before,
    revenue_28d - revenue_28d_before as revenue_change,
    round(revenue_change_rate_28d, 2) as revenue_change_rate,
    revenue_7d
from {{ ref('product_performance') }}
where revenue_28d_before is not null
order by abs(revenue_28d - revenue_28d_before) desc, product_id asc
limit 30
