{{ config(materialized='ephemeral') }}

with

daily_completeness as (
    select * from {{ ref('daily_completeness') }}
),

daily_traffic as (
    select * from {{ ref('daily_traffic') }}
),

complete_days as (

    -- Every calendar day has a row, so seven rows are seven days. Only complete days have a revenue
    -- that others can be compared with.
    select
        daily_completeness.event_date,
        case
            when daily_completeness.day_kind = 'complete' then coalesce(daily_traffic.revenue, 0)
        end as revenue
    from daily_completeness
    left join daily_traffic on daily_completeness.event_date = daily_traffic.event_date

),

windowed as (

    select
        event_date,
        revenue,
        lag(revenue) over (order by event_date) as previous_day,
        lag(revenue, 7) over (order by event_date) as same_weekday,
        {% for days in [7, 28] %}
            sum(revenue) over (
                order by event_date rows between {{ days - 1 }} preceding and current row
            ) as revenue_{{ days }}d,
            count(revenue) over (
                order by event_date rows between {{ days - 1 }} preceding and current row
            ) as revenue_{{ days }}d_average_days{{ ',' if not loop.last }}
        {% endfor %}
    from complete_days

),

daily_revenue_trend as (

    select
        event_date,
        {% for day in ['previous_day', 'same_weekday'] %}
            cast(revenue - {{ day }} as decimal(18, 2)) as revenue_change_from_{{ day }},
            {{ rate('revenue - ' ~ day, day) }} as revenue_change_rate_from_{{ day }},
        {% endfor %}
        {% for days in ['7d', '28d'] %}
            {{ money_average('revenue_' ~ days, 'revenue_' ~ days ~ '_average_days') }}
                as revenue_{{ days }}_average,
            revenue_{{ days }}_average_days{{ ',' if not loop.last }}
        {% endfor %}
    from windowed

)

select * from daily_revenue_trend
