-- Which categories grow, down to the second and third level?
select
    coalesce(category_l1, '(none)') as category_l1,
    coalesce(category_l2, '(none)') as category_l2,
    coalesce(category_l3, '(none)') as category_l3,
    sum(revenue_28d) as revenue_28d,
    sum(revenue_28d_before) as revenue_28d_before,
    sum(revenue_28d) - sum(revenue_28d_before) as revenue_change,
    round(cast(sum(revenue_28d) as double) / nullif(sum(revenue_28d_before), 0) - 1, 3)
        as revenue_change_rate
from {{ ref('product_performance') }}
where revenue_28d + revenue_28d_before > 0
group by
    coalesce(category_l1, '(none)'), coalesce(category_l2, '(none)'),
    coalesce(category_l3, '(none)')
order by revenue_change desc, category_l1 asc, category_l2 asc, category_l3 asc
