-- Figures of the page Together and paths.

-- name: pairs
with

ranked as (
    select
        basis,
        product_a,
        product_b,
        category_a,
        category_b,
        brand_a,
        brand_b,
        pair_count,
        support,
        confidence_a_to_b,
        confidence_b_to_a,
        lift,
        row_number() over (
            partition by basis order by pair_count desc, lift desc, product_a, product_b
        ) as place
    from gold_layer.product_affinity
)

select
    basis,
    product_a,
    product_b,
    category_a,
    category_b,
    brand_a,
    brand_b,
    pair_count,
    support,
    confidence_a_to_b,
    confidence_b_to_a,
    lift
from ranked
where place <= 15
order by basis, place;

-- name: steps
select
    from_category_l1,
    to_category_l1,
    cast(sum(steps) as bigint) as steps
from gold_layer.session_steps
group by from_category_l1, to_category_l1
order by steps desc, from_category_l1, to_category_l1;
