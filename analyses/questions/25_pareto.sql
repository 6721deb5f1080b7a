-- How few products make most of our revenue?
select
    coalesce(pareto_class, 'not sold') as pareto_class,
    count(*) as products,
    round(cast(count(*) as double) / sum(count(*)) over (), 4) as share_of_products,
    sum(revenue) as revenue,
    round(sum(revenue_share), 4) as share_of_revenue
from {{ ref('product_performance') }}
group by coalesce(pareto_class, 'not sold')
order by pareto_class
