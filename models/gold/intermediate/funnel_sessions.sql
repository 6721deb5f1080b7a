with

sessions as (
    select * from {{ ref('sessions') }}
),

session_categories as (
    select * from {{ ref('session_categories') }}
),

users_dim as (
    select * from {{ ref('users_dim') }}
),

funnel_sessions as (

    select
        sessions.session_date as event_date,
        '(all)' as category_l1,
        {{ funnel_session_columns('sessions') }},
        users_dim.user_id is not null as is_first_order
    from sessions
    left join users_dim on sessions.session_id = users_dim.first_order_session_id

    union all

    select
        session_categories.session_date as event_date,
        session_categories.category_l1,
        {{ funnel_session_columns('session_categories') }},
        -- A first order is one session's; its categories would count it more than once.
        false as is_first_order
    from session_categories

)

select * from funnel_sessions
