-- How does the share of each brand in its category change over time?
with

months as (

    select
        category_l1,
        brand,
        cast(date_trunc('month', event_date) as date) as month_start,
        sum(revenue) as revenue
    from {{ ref('category_brand_days') }}
    group by category_l1, brand, cast(date_trunc('month', event_date) as date)

)

select
    *,
    round(cast(revenue as double) / sum(revenue) over (partition by category_l1, month_start), 3)
        as share_of_category
from months
where revenue > 0
order by category_l1 asc, month_start asc, revenue desc, brand asc
