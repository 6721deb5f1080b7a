{{ config(materialized='ephemeral') }}

with

price_moves as (
    select * from {{ ref('price_moves') }}
),

complete_days as (
    select event_date from {{ ref('daily_completeness') }}
    where day_kind = 'complete'
),

products_dim as (
    select * from {{ ref('products_dim') }}
),

price_windows as (

    select
        price_moves.product_id,
        price_moves.changed_at,
        complete_days.event_date,
        complete_days.event_date < price_moves.changed_date as is_before,
        coalesce(products_dim.category_code, cast(products_dim.category_id as string)) as category
    from price_moves
    inner join products_dim on price_moves.product_id = products_dim.product_id
    inner join complete_days
        on
            abs(unix_date(complete_days.event_date) - unix_date(price_moves.changed_date))
            between 1 and {{ var('price_window_days') }}
            and price_moves.previous_date < complete_days.event_date
            and coalesce(price_moves.next_date, date '9999-12-31') > complete_days.event_date

)

select * from price_windows
