with

cart_lines as (

    select
        *,
        cast(last_carted_at as date) as cart_date,
        last_carted_at + interval {{ var('cart_recovery_days') }} days as recoverable_until
    from {{ ref('cart_lines') }}
    where outcome = 'abandoned'

),

purchases as (
    select * from {{ ref('events_cleaned') }}
    where event_type = 'purchase'
),

recoveries as (

    -- In another session: with a later purchase in its own the line would not be abandoned.
    select
        cart_lines.session_id,
        cart_lines.product_id,
        min(purchases.event_time) as recovered_at
    from cart_lines
    inner join purchases
        on
            cart_lines.user_id = purchases.user_id
            and cart_lines.product_id = purchases.product_id
            and cart_lines.last_carted_at < purchases.event_time
            and cart_lines.recoverable_until >= purchases.event_time
    group by cart_lines.session_id, cart_lines.product_id

),

followed as (

    select
        cart_lines.*,
        recoveries.recovered_at,
        cast(cart_lines.recoverable_until as date) <= {{ observed_until() }} as is_observed,
        cast(cart_lines.recoverable_until as date) <= {{ as_of_date() }} as is_over
    from cart_lines
    left join recoveries
        on
            cart_lines.session_id = recoveries.session_id
            and cart_lines.product_id = recoveries.product_id

),

abandoned_carts as (

    select
        followed.session_id,
        followed.user_id,
        followed.product_id,
        products_dim.category_code,
        products_dim.category_l1,
        products_dim.brand,
        followed.cart_date,
        followed.last_carted_at,
        followed.carts,
        followed.cart_price,
        products_dim.current_price as price_now,
        cast(products_dim.current_price - nullif(followed.cart_price, 0) as decimal(18, 2))
            as price_change_since_cart,
        followed.recovered_at,
        followed.is_observed,
        case
            when followed.recovered_at is not null then true
            when followed.is_observed then false
        end as is_recovered,
        followed.recovered_at is null and not followed.is_over as is_open
    from followed
    inner join {{ ref('products_dim') }} as products_dim
        on followed.product_id = products_dim.product_id

)

select * from abandoned_carts
