-- What is left behind in carts, and for what is a reminder worth it?
select
    coalesce(category_l1, '(none)') as category_l1,
    count(*) as cart_lines,
    sum(cart_price) as cart_value,
    round(
        cast(count(*) filter (where is_observed and is_recovered) as double)
        / nullif(count(*) filter (where is_observed), 0), 3
    ) as recovery_rate,
    count(*) filter (where is_open) as open_lines,
    sum(case when is_open then cart_price else 0 end) as open_value,
    count(*) filter (where is_open and price_change_since_cart < 0) as open_lines_now_cheaper
from {{ ref('abandoned_carts') }}
group by coalesce(category_l1, '(none)')
order by open_value desc, category_l1 asc
