-- How many pieces are in an order, and how many orders have more than one?
select
    case when units >= 5 then '5 or more' else cast(units as string) end as pieces,
    count(*) as orders,
    round(cast(count(*) as double) / sum(count(*)) over (), 4) as share_of_orders,
    sum(revenue) as revenue,
    round(cast(avg(products) as double), 2) as average_products,
    round(cast(sum(revenue) as double) / count(*), 2) as average_order_value
from {{ ref('orders') }}
group by pieces
order by pieces
