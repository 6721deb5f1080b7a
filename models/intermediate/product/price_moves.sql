with

bounded as (

    -- The first lasting price is no change, but begins the period before the first one.
    select
        *,
        lag(valid_from) over (partition by product_id order by valid_from) as previous_at,
        lead(valid_from) over (partition by product_id order by valid_from) as next_at
    from {{ ref('lasting_prices') }}
    where
        price_before is null
        or abs(price - price_before) >= {{ var('price_min_change') }} * price_before

),

price_moves as (

    select
        product_id,
        valid_from as changed_at,
        cast(valid_from as date) as changed_date,
        price_before,
        price as price_after,
        cast(previous_at as date) as previous_date,
        cast(next_at as date) as next_date
    from bounded
    where price_before is not null

)

select * from price_moves
