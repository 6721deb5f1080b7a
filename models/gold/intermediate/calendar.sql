with

user_days as (
    select * from {{ ref('user_days') }}
),

bounds as (

    select
        min(event_date) as first_date,
        max(event_date) as last_date
    from user_days

),

calendar as (

    select {{ every_day('first_date', 'last_date') }} as event_date
    from bounds

)

select * from calendar
