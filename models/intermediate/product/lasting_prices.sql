{{ config(materialized='ephemeral') }}

with

priced as (

    -- A price of 0 is none: the one before goes on.
    select
        product_id,
        valid_from,
        price,
        lag(price) over (partition by product_id order by valid_from) as earlier_price
    from {{ ref('product_history') }}
    where price > 0

),

periods as (

    -- Another brand or category does not end the period of a price, the as-of date does.
    select
        *,
        coalesce(
            unix_timestamp(lead(valid_from) over (partition by product_id order by valid_from)),
            (unix_date({{ as_of_date() }}) + 1) * 86400
        ) - unix_timestamp(valid_from) as lasts_seconds
    from priced
    where price is distinct from earlier_price

),

lasting_prices as (

    select
        product_id,
        valid_from,
        price,
        lag(price) over (partition by product_id order by valid_from) as price_before
    from periods
    where lasts_seconds >= {{ var('price_min_hours') }} * 3600

)

select * from lasting_prices
