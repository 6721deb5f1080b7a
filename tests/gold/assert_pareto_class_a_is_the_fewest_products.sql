-- Class A reaches its share of revenue, but would not without its smallest product.
with

class_a as (

    select
        sum(revenue) as class_revenue,
        min(revenue) as smallest_revenue
    from {{ ref('product_performance') }}
    where pareto_class = 'A'

),

shop as (

    select sum(revenue) as shop_revenue from {{ ref('product_performance') }}

)

select
    class_a.*,
    shop.shop_revenue
from class_a
cross join shop
where
    shop.shop_revenue > 0
    and (
        class_a.class_revenue < shop.shop_revenue * {{ var('pareto_a_share') }}
        or class_a.class_revenue - class_a.smallest_revenue
        >= shop.shop_revenue * {{ var('pareto_a_share') }}
    )
