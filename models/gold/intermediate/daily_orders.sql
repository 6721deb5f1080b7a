with

sessions as (
    select * from {{ ref('sessions') }}
),

buyers as (
    select * from {{ ref('users_dim') }}
    where first_order_session_id is not null
),

daily_orders as (

    select
        cast(sessions.first_purchase_at as date) as order_date,
        count(*) as orders,
        count(buyers.user_id) as new_buyers
    from sessions
    left join buyers on sessions.session_id = buyers.first_order_session_id
    where sessions.is_order
    group by cast(sessions.first_purchase_at as date)

)

select * from daily_orders
