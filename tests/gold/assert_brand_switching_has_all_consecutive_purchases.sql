-- A buyer's lines in a category are one more than the pairs of consecutive ones.
with

buyers as (

    select
        user_id,
        split_part(category_code, '.', 1) as category_l1,
        split_part(category_code, '.', 2) as category_l2,
        count(*) - 1 as switches
    from {{ ref('order_lines') }}
    where category_code like '%.%'
    group by user_id, split_part(category_code, '.', 1), split_part(category_code, '.', 2)

),

categories as (

    select
        category_l1,
        category_l2,
        sum(switches) as expected_switches
    from buyers
    group by category_l1, category_l2

),

mart as (

    select
        category_l1,
        category_l2,
        sum(switches) as switches
    from {{ ref('brand_switching') }}
    group by category_l1, category_l2

)

select
    categories.category_l1,
    categories.category_l2,
    categories.expected_switches,
    mart.switches
from categories
full outer join mart
    on categories.category_l1 = mart.category_l1 and categories.category_l2 = mart.category_l2
where coalesce(categories.expected_switches, 0) <> coalesce(mart.switches, 0)
