-- How are our orders distributed by value?
select
    case
        when revenue < 50 then '1: below 50'
        when revenue < 100 then '2: 50 to 100'
        when revenue < 250 then '3: 100 to 250'
        when revenue < 500 then '4: 250 to 500'
        when revenue < 1000 then '5: 500 to 1000'
        else '6: 1000 and more'
    end as order_value,
    count(*) as orders,
    round(cast(count(*) as double) / sum(count(*)) over (), 4) as share_of_orders,
    sum(revenue) as revenue,
    round(cast(sum(revenue) as double) / nullif(sum(sum(revenue)) over (), 0), 4)
        as share_of_revenue
from {{ ref('orders') }}
group by order_value
order by order_value
