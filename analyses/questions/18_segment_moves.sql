-- From which stage to which segment did customers move in the last 28 days?
select
    case
        when cast(first_order_at as date) > as_of_date - interval 28 days then '1: no order'
        when cast(second_order_at as date) <= as_of_date - interval 28 days
            then '3: several orders'
        else '2: one order'
    end as stage_before,
    rfm_segment,
    count(*) as customers,
    sum(revenue) as revenue
from {{ ref('customer_metrics') }}
where orders > 0
group by stage_before, rfm_segment
order by stage_before asc, customers desc, rfm_segment asc
