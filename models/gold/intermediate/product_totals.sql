with

product_users as (
    select * from {{ ref('product_users') }}
),

product_totals as (

    select
        product_id,
        {{ sum_event_counts() }},
        {{ count_where('views > 0') }} as viewers,
        {{ count_where('purchases > 0') }} as buyers,
        cast(sum(view_sessions) as bigint) as view_sessions,
        cast(sum(cart_sessions) as bigint) as cart_sessions,
        cast(sum(purchase_sessions) as bigint) as purchase_sessions,
        cast(sum(view_and_cart_sessions) as bigint) as view_and_cart_sessions,
        cast(sum(view_and_purchase_sessions) as bigint) as view_and_purchase_sessions,
        cast(sum(cart_and_purchase_sessions) as bigint) as cart_and_purchase_sessions
    from product_users
    group by product_id

)

select * from product_totals
