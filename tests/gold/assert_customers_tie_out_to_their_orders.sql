-- The first and the second order of a customer are those of the mart of orders.
with

orders as (
    select * from {{ ref('orders') }}
),

compared as (

    select
        customers.user_id,
        customers.first_order_at,
        customers.second_order_at,
        customers.days_to_second_order,
        customers.first_order_category,
        first_orders.ordered_at,
        second_orders.ordered_at as ordered_again_at,
        second_orders.days_since_previous_order,
        first_orders.main_category
    from {{ ref('customer_metrics') }} as customers
    left join orders as first_orders
        on customers.user_id = first_orders.user_id and first_orders.order_number = 1
    left join orders as second_orders
        on customers.user_id = second_orders.user_id and second_orders.order_number = 2

)

select * from compared
where
    first_order_at is distinct from ordered_at
    or second_order_at is distinct from ordered_again_at
    or days_to_second_order is distinct from days_since_previous_order
    or first_order_category is distinct from main_category
