{{ config(materialized='ephemeral') }}

with

user_activity as (
    select * from {{ ref('user_activity') }}
),

daily_new_visitors as (

    select
        cast(first_seen_at as date) as event_date,
        count(*) as new_visitors
    from user_activity
    group by cast(first_seen_at as date)

)

select * from daily_new_visitors
