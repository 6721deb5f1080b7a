with

versions as (

    select
        product_id,
        min(valid_from) as first_seen_at,
        count(*) as versions,
        count(*) filter (where price <> previous_price) as price_changes,
        min(price) as lowest_price,
        max(price) as highest_price
    from {{ ref('product_history') }}
    group by product_id

),

products_dim as (

    select
        current_version.product_id,
        current_version.category_id,
        current_version.category_code,
        nullif(split_part(current_version.category_code, '.', 1), '') as category_l1,
        nullif(split_part(current_version.category_code, '.', 2), '') as category_l2,
        nullif(split_part(current_version.category_code, '.', 3), '') as category_l3,
        current_version.brand,
        current_version.price as current_price,
        current_version.valid_from as current_price_since,
        versions.first_seen_at,
        versions.versions,
        versions.price_changes,
        versions.lowest_price,
        versions.highest_price
    from {{ ref('product_history') }} as current_version
    inner join versions on current_version.product_id = versions.product_id
    where current_version.is_current

)

select * from products_dim
