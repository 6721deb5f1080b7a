with

user_days as (
    select * from {{ ref('user_days') }}
),

daily_visitors as (

    select
        event_date,
        count(*) as visitors,
        {{ count_where('purchases > 0') }} as buyers
    from user_days
    group by event_date

)

select * from daily_visitors
