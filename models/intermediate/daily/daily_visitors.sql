{{ config(materialized='ephemeral') }}

with

user_daily_activity as (
    select * from {{ ref('user_daily_activity') }}
),

daily_visitors as (

    select
        event_date,
        count(*) as visitors,
        count(*) filter (where purchases > 0) as buyers
    from user_daily_activity
    group by event_date

)

select * from daily_visitors
