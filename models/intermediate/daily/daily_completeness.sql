{{ config(materialized='ephemeral') }}

with

calendar as (
    select * from {{ ref('calendar') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

surroundings as (

    -- The median leaves out the day itself and days without the event, so that an outage of
    -- several days does not become its own norm.
    select
        calendar.event_date,
        cast(median(neighbor.events) as double) as usual_events,
        cast(median(nullif(neighbor.purchases, 0)) as double) as usual_purchases
    from calendar
    left join daily_traffic as neighbor
        on
            calendar.event_date <> neighbor.event_date
            and abs(unix_date(calendar.event_date) - unix_date(neighbor.event_date))
            <= {{ var('incomplete_day_window_days') }}
    group by calendar.event_date

),

daily_completeness as (

    select
        surroundings.event_date,
        surroundings.usual_events,
        surroundings.usual_purchases,
        daily_traffic.event_date is not null
        and not coalesce(
            daily_traffic.events < surroundings.usual_events * {{ var('incomplete_day_share') }},
            false
        )
        and not coalesce(
            surroundings.usual_purchases >= {{ var('incomplete_day_min_purchases') }}
            and daily_traffic.purchases
            < surroundings.usual_purchases * {{ var('incomplete_day_share') }},
            false
        ) as is_complete
    from surroundings
    left join daily_traffic on surroundings.event_date = daily_traffic.event_date

)

select * from daily_completeness
