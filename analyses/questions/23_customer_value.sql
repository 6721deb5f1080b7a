-- Which customers earn the money, and what do we expect of them in the next 90 days?
select
    user_segment,
    count(*) as people,
    sum(orders) as orders,
    sum(revenue) as revenue,
    round(cast(sum(revenue) as double) / count(*), 2) as revenue_per_user,
    round(sum(expected_orders_90d), 1) as expected_orders_90d,
    sum(expected_revenue_90d) as expected_revenue_90d
from {{ ref('customer_metrics') }}
group by user_segment
order by revenue desc, user_segment asc
