{{ config(materialized='view') }}

with

sessions as (
    select * from {{ ref('sessions') }}
),

session_categories as (
    select * from {{ ref('session_categories') }}
),

buyers as (
    select * from {{ ref('users_dim') }}
    where first_order_session_id is not null
),

funnel_sessions as (

    select
        sessions.session_date as event_date,
        '(all)' as category_l1,
        {{ funnel_session_columns('sessions') }},
        buyers.first_order_session_id is not null as is_first_order
    from sessions
    left join buyers on sessions.session_id = buyers.first_order_session_id

    union all

    -- A first order is one session's; its categories would count it more than once.
    select
        sessions.session_date as event_date,
        sessions.single_category_l1 as category_l1,
        {{ funnel_session_columns('sessions') }},
        false as is_first_order
    from sessions
    where sessions.single_category_l1 is not null

    union all

    select
        session_categories.session_date as event_date,
        session_categories.category_l1,
        {{ funnel_session_columns('session_categories') }},
        false as is_first_order
    from session_categories

)

select * from funnel_sessions
