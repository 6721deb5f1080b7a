-- Which products do customers buy together, beyond what chance would bring?
select
    basis,
    product_a,
    product_b,
    category_a,
    category_b,
    brand_a,
    brand_b,
    pair_count,
    round(confidence_a_to_b, 3) as confidence_a_to_b,
    round(confidence_b_to_a, 3) as confidence_b_to_a,
    round(lift, 1) as lift
from (
    select
        *,
        row_number() over (
            partition by basis order by pair_count desc, product_a asc, product_b asc
        ) as place
    from {{ ref('product_affinity') }}
    where lift > 1
) as pairs
where place <= 20
order by basis, place
