with

sessions as (
    select * from {{ ref('sessions') }}
    where is_order
),

buyers as (
    select * from {{ ref('user_activity') }}
    where orders > 0
),

opened as (

    -- Each order and each buyer counts once, for the product bought first, so that both are
    -- additive over products; purchase_sessions and buyers are not.
    select
        first_purchased_product_id as product_id,
        count(*) as orders_started
    from sessions
    group by first_purchased_product_id

),

acquired as (

    select
        first_order_product_id as product_id,
        count(*) as buyers_acquired
    from buyers
    group by first_order_product_id

),

product_first_purchases as (

    select
        opened.product_id,
        opened.orders_started,
        coalesce(acquired.buyers_acquired, 0) as buyers_acquired
    from opened
    left join acquired on opened.product_id = acquired.product_id

)

select * from product_first_purchases
