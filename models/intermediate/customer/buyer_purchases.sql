with

user_daily_activity as (
    select * from {{ ref('user_daily_activity') }}
),

buyers as (

    -- Several orders on one day count once: the lifetime model assumes independent arrivals.
    select
        user_id,
        count(*) - 1 as frequency,
        min(event_date) as first_date,
        max(event_date) as last_date,
        cast(sum(revenue) - min_by(revenue, event_date) as decimal(18, 2)) as repeat_revenue,
        max(_batch_id) as _batch_id
    from user_daily_activity
    where purchases > 0
    group by user_id

),

dated as (

    select
        *,
        {{ as_of_date() }} as as_of_date
    from buyers

),

buyer_purchases as (

    select
        user_id,
        frequency,
        {{ days_between('first_date', 'last_date') }} as recency_days,
        {{ days_between('first_date', 'as_of_date') }} as age_days,
        cast(coalesce({{ money_average('repeat_revenue', 'frequency') }}, 0) as decimal(18, 2))
            as monetary_value,
        as_of_date,
        _batch_id
    from dated

)

select * from buyer_purchases
