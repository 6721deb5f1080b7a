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

days as (

    select
        first_date,
        explode(sequence(first_date, last_date)) as event_date
    from bounds

),

calendar as (

    select
        event_date,
        unix_date(event_date) - unix_date(first_date) < {{ var('left_censored_days') }}
            as is_left_censored
    from days

)

select * from calendar
