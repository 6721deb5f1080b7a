-- Which way do visitors take from category to category?
select
    from_category_l1,
    to_category_l1,
    sum(steps) as steps,
    round(
        cast(sum(steps) as double) / sum(sum(steps)) over (partition by from_category_l1), 3
    ) as share_of_from
from {{ ref('session_steps') }}
group by from_category_l1, to_category_l1
order by steps desc, from_category_l1 asc, to_category_l1 asc
limit 50
