with

daily_sales_summary as (
    select * from {{ ref('daily_sales_summary') }}
),

source_files as (
    select * from {{ ref('source_files') }}
),

newest_load as (

    select cast(max(_ingested_at) as date) as loaded_on
    from source_files

),

past_days as (

    -- A day that was not over when its newest file came is incomplete without a fault.
    select
        days.event_date,
        days.day_kind,
        days.events,
        days.purchases,
        unix_date(max(days.event_date) over ()) - unix_date(days.event_date)
            as days_before_newest
    from daily_sales_summary as days
    cross join newest_load
    where days.event_date < newest_load.loaded_on

),

incomplete_day as (

    select
        event_date,
        events,
        purchases,
        count(*) over () as findings
    from past_days
    where day_kind = 'incomplete' and days_before_newest < {{ var('alert_days') }}

)

select * from incomplete_day
order by event_date desc
