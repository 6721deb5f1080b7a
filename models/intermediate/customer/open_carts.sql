{{ config(materialized='ephemeral') }}

with

recent_lines as (
    select * from {{ ref('cart_lines') }}
    where
        outcome = 'abandoned'
        and unix_date(cast(last_carted_at as date)) + {{ var('cart_recovery_days') }}
        > unix_date({{ as_of_date() }})
),

recent_purchases as (
    select * from {{ ref('events_cleaned') }}
    where
        event_type = 'purchase'
        and unix_date(event_date) + {{ var('cart_recovery_days') }} > unix_date({{ as_of_date() }})
),

open_carts as (

    -- The rule of is_open in abandoned_carts, for the few lines whose days are not over.
    select
        user_id,
        cast(sum(cart_price) as decimal(18, 2)) as open_cart_value
    from recent_lines as carted
    where
        not exists (
            select 1 from recent_purchases as bought
            where
                bought.user_id = carted.user_id
                and bought.product_id = carted.product_id
                and bought.event_time > carted.last_carted_at
        )
    group by user_id

)

select * from open_carts
