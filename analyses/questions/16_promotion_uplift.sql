-- Do price cuts sell more, and is the revenue worth them?
select
    case
        when price_after <= price_before * 0.8 then '1: cut by 20 % or more'
        when price_after < price_before then '2: cut by less than 20 %'
        else '3: raised'
    end as price_move,
    count(*) as price_changes,
    sum(units_before) as units_before,
    sum(units_after) as units_after,
    round(avg(cast(units_before as double) / days_before), 3) as units_per_day_before,
    round(avg(cast(units_after as double) / days_after), 3) as units_per_day_after,
    round(avg(cast(price_before * units_before as double) / days_before), 2)
        as revenue_per_day_before,
    round(avg(cast(price_after * units_after as double) / days_after), 2)
        as revenue_per_day_after
from {{ ref('price_changes') }}
where days_before > 0 and days_after > 0
group by price_move
order by price_move
