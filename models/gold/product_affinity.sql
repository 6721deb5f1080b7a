with

product_baskets as (

    select
        basis,
        product_id,
        count(distinct basket_id) as baskets
    from {{ ref('affinity_products') }}
    where not is_left_out
    group by basis, product_id

),

all_baskets as (

    select
        basis,
        count(distinct case when not is_left_out then basket_id end) as baskets,
        count(distinct case when is_left_out then basket_id end) as baskets_left_out
    from {{ ref('affinity_products') }}
    group by basis

),

products_dim as (
    select * from {{ ref('products_dim') }}
),

product_affinity as (

    select
        pairs.basis,
        pairs.product_a,
        pairs.product_b,
        products_a.category_code as category_a,
        products_b.category_code as category_b,
        products_a.brand as brand_a,
        products_b.brand as brand_b,
        pairs.pair_count,
        baskets_a.baskets as count_a,
        baskets_b.baskets as count_b,
        all_baskets.baskets,
        all_baskets.baskets_left_out,
        {{ rate('pairs.pair_count', 'all_baskets.baskets') }} as support,
        {{ rate('pairs.pair_count', 'baskets_a.baskets') }} as confidence_a_to_b,
        {{ rate('pairs.pair_count', 'baskets_b.baskets') }} as confidence_b_to_a,
        {{ rate(
            'pairs.pair_count * all_baskets.baskets', 'baskets_a.baskets * baskets_b.baskets'
        ) }} as lift
    from {{ ref('affinity_pairs') }} as pairs
    inner join all_baskets on pairs.basis = all_baskets.basis
    inner join product_baskets as baskets_a
        on pairs.basis = baskets_a.basis and pairs.product_a = baskets_a.product_id
    inner join product_baskets as baskets_b
        on pairs.basis = baskets_b.basis and pairs.product_b = baskets_b.product_id
    inner join products_dim as products_a on pairs.product_a = products_a.product_id
    inner join products_dim as products_b on pairs.product_b = products_b.product_id

)

select * from product_affinity
