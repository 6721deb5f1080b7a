{{ config(materialized='ephemeral') }}

with

user_daily_activity as (
    select * from {{ ref('user_daily_activity') }}
),

bounds as (

    select
        min(event_date) as first_date,
        max(event_date) as last_date
    from user_daily_activity

),

calendar as (

    select explode(sequence(first_date, last_date)) as event_date
    from bounds

)

select * from calendar
