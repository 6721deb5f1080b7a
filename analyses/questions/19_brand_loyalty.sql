-- Which brands keep their buyers, and to which do the others go?
select
    category_l1,
    category_l2,
    from_brand,
    to_brand,
    is_same_brand,
    customers,
    switches,
    from_brand_switches,
    round(share_of_from_brand, 3) as share_of_from_brand
from {{ ref('brand_switching') }}
where from_brand_switches >= 20 and from_brand <> '(none)' and to_brand <> '(none)'
order by
    from_brand_switches desc, category_l1 asc, category_l2 asc, from_brand asc, switches desc,
    to_brand asc
limit 100
