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
        {{ as_of_date() }} as as_of_date,
        max(_batch_id) as _batch_id
    from user_daily_activity
    where purchases > 0
    group by user_id

),

buyer_purchases as (

    select
        user_id,
        frequency,
        cast(unix_date(last_date) - unix_date(first_date) as bigint) as recency_days,
        cast(unix_date(as_of_date) - unix_date(first_date) as bigint) as age_days,
        cast(coalesce({{ money_average('repeat_revenue', 'frequency') }}, 0) as decimal(18, 2))
            as monetary_value,
        as_of_date,
        _batch_id
    from buyers

)

select * from buyer_purchases
