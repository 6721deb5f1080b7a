-- How long does it take until a buyer orders again?
select
    case
        when days_to_second_order is null or days_to_second_order > 28 then '5: not in 28 days'
        when days_to_second_order = 0 then '1: same day'
        when days_to_second_order <= 7 then '2: 1 to 7 days'
        when days_to_second_order <= 14 then '3: 8 to 14 days'
        else '4: 15 to 28 days'
    end as second_order,
    count(*) as buyers,
    round(cast(count(*) as double) / sum(count(*)) over (), 3) as share_of_buyers
from {{ ref('customer_metrics') }}
where days_observed_after_first_order >= 28
group by second_order
order by second_order
