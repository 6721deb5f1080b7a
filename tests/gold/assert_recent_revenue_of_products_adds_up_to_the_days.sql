-- The products' revenue of the newest 7, 28 and 28 days before is the shop's of those days; the
-- last is null where the data do not reach back to all of them.
with

shop as (

    select
        coalesce(sum(case when days_ago < 7 then revenue end), 0) as revenue_7d,
        coalesce(sum(case when days_ago < 28 then revenue end), 0) as revenue_28d,
        case
            when max(days_ago) >= 55
                then coalesce(sum(case when days_ago between 28 and 55 then revenue end), 0)
        end as revenue_28d_before
    from (
        select
            days.revenue,
            unix_date({{ as_of_date() }}) - unix_date(days.event_date) as days_ago
        from {{ ref('daily_sales_summary') }} as days
    ) as aged
    where days_ago >= 0

),

products as (

    select
        coalesce(sum(revenue_7d), 0) as revenue_7d,
        coalesce(sum(revenue_28d), 0) as revenue_28d,
        sum(revenue_28d_before) as revenue_28d_before
    from {{ ref('product_performance') }}

)

select products.*
from products
cross join shop
where
    products.revenue_7d <> shop.revenue_7d
    or products.revenue_28d <> shop.revenue_28d
    or products.revenue_28d_before is distinct from shop.revenue_28d_before
