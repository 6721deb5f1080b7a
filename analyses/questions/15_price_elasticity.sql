-- In which categories do shoppers respond to a price?
select
    coalesce(category_l1, '(none)') as category_l1,
    count(*) as price_changes,
    count(arc_elasticity) as measured_changes,
    round(cast(median(arc_elasticity) as double), 2) as median_elasticity
from {{ ref('price_changes') }}
group by coalesce(category_l1, '(none)')
order by measured_changes desc, category_l1 asc
