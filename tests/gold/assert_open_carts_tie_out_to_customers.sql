-- What customers have in open carts is what the mart of abandoned carts has open.
with

open_carts as (

    select
        user_id,
        sum(cart_price) as cart_value
    from {{ ref('abandoned_carts') }}
    where is_open
    group by user_id

),

compared as (

    select
        customers.user_id,
        customers.open_cart_value,
        coalesce(open_carts.cart_value, 0) as cart_value
    from {{ ref('customer_metrics') }} as customers
    left join open_carts on customers.user_id = open_carts.user_id

)

select * from compared
where open_cart_value <> cart_value
