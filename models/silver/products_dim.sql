with

versions as (

    -- A price of 0 is none: it is no price to report, and no move from or to it.
    select
        product_id,
        min(valid_from) as first_seen_at,
        count(*) as versions,
        count(*) filter (where price > 0 and price <> previous_price) as price_changes,
        max_by(price, version_number) filter (where price > 0) as current_price,
        max(valid_from) filter (
            where price > 0 and price is distinct from previous_price
        ) as current_price_since,
        min(price) filter (where price > 0) as lowest_price,
        max(price) filter (where price > 0) as highest_price
    from {{ ref('product_history') }}
    group by product_id

),

products_dim as (

    select
        current_version.category_id,
        current_version.category_code,
        {{ category_level(1, 'current_version.category_code') }} as category_l1,
        {{ category_level(2, 'current_version.category_code') }} as category_l2,
        {{ category_level(3, 'current_version.category_code') }} as category_l3,
        current_version.brand,
        versions.*
    from {{ ref('product_history') }} as current_version
    inner join versions on current_version.product_id = versions.product_id
    where current_version.is_current

)

select * from products_dim
