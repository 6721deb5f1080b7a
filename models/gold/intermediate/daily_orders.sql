with

sessions as (
    select * from {{ ref('sessions') }}
),

users_dim as (
    select * from {{ ref('users_dim') }}
),

daily_orders as (

    select
        cast(sessions.first_purchase_at as date) as order_date,
        count(*) as orders,
        count(users_dim.user_id) as new_buyers
    from sessions
    left join users_dim on sessions.session_id = users_dim.first_order_session_id
    where sessions.is_order
    group by cast(sessions.first_purchase_at as date)

)

select * from daily_orders
