{{ config(materialized='ephemeral') }}

with

sessions as (
    select * from {{ ref('sessions') }}
),

daily_sessions as (

    select
        session_date,
        count(*) as sessions,
        count(*) filter (where is_order) as sessions_with_purchase
    from sessions
    group by session_date

)

select * from daily_sessions
