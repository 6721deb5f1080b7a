with

sessions as (
    select * from {{ ref('sessions') }}
),

buyers as (
    select * from {{ ref('users_dim') }}
    where first_order_session_id is not null
),

product_openings as (

    -- Each order and each buyer counts once, for the product bought first, so that both add up
    -- over products; purchase_sessions and buyers do not.
    select
        sessions.first_purchased_product_id as product_id,
        count(*) as orders_opened,
        count(buyers.user_id) as buyers_acquired
    from sessions
    left join buyers on sessions.session_id = buyers.first_order_session_id
    where sessions.is_order
    group by sessions.first_purchased_product_id

)

select * from product_openings
