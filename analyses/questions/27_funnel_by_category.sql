-- Where do shoppers drop out, by category?
select
    category_l1,
    sum(sessions) as sessions,
    round(cast(sum(sessions_view_then_cart) as double) / nullif(sum(sessions_with_view), 0), 3)
        as view_to_cart,
    round(
        cast(sum(sessions_view_cart_purchase_in_order) as double)
        / nullif(sum(sessions_view_then_cart), 0), 3
    ) as cart_to_purchase,
    round(cast(sum(sessions_with_purchase) as double) / nullif(sum(sessions), 0), 4)
        as conversion_rate,
    round(
        cast(sum(sessions_purchase_without_cart) as double)
        / nullif(sum(sessions_with_purchase), 0), 3
    ) as bought_without_cart,
    sum(session_revenue) as revenue
from {{ ref('conversion_funnel') }}
where is_complete
group by category_l1
order by sessions desc, category_l1 asc
