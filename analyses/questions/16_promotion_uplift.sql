-- Do price cuts sell more, and is the revenue worth them?
select
    case
        when price_after <= price_before * 0.8 then '1: cut by 20 % or more'
        when price_after < price_before then '2: cut by 5 to 20 %'
        else '3: raised'
    end as price_move,
    count(*) as price_changes,
    sum(units_before) as units_before,
    sum(units_after) as units_after,
    round(cast(sum(units_before) as double) / nullif(sum(days_before), 0), 3)
        as units_per_day_before,
    round(cast(sum(units_after) as double) / nullif(sum(days_after), 0), 3) as units_per_day_after,
    round(cast(sum(price_before * units_before) as double) / nullif(sum(days_before), 0), 2)
        as revenue_per_day_before,
    round(cast(sum(price_after * units_after) as double) / nullif(sum(days_after), 0), 2)
        as revenue_per_day_after
from {{ ref('price_changes') }}
where days_before > 0 and days_after > 0
group by price_move
order by price_move
