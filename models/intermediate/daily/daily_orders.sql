with

sessions as (
    select * from {{ ref('sessions') }}
    where is_order
),

buyers as (
    select * from {{ ref('user_activity') }}
    where orders > 0
),

orders as (

    select
        cast(first_purchase_at as date) as order_date,
        count(*) as orders
    from sessions
    group by cast(first_purchase_at as date)

),

first_orders as (

    select
        cast(first_order_at as date) as order_date,
        count(*) as new_buyers
    from buyers
    group by cast(first_order_at as date)

),

daily_orders as (

    select
        orders.order_date,
        orders.orders,
        coalesce(first_orders.new_buyers, 0) as new_buyers
    from orders
    left join first_orders on orders.order_date = first_orders.order_date

)

select * from daily_orders
