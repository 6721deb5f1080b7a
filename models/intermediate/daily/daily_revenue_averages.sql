{{ config(materialized='ephemeral') }}

with

windowed as (

    -- Every calendar day has a row, so that seven rows are seven days.
    select
        {% for days in [7, 28] %}
            sum(revenue) over (
                order by event_date rows between {{ days - 1 }} preceding and current row
            ) as revenue_{{ days }}d,
            count(revenue) over (
                order by event_date rows between {{ days - 1 }} preceding and current row
            ) as revenue_{{ days }}d_average_days,
        {% endfor %}
        event_date
    from {{ ref('daily_complete_revenue') }}

),

daily_revenue_averages as (

    select
        {% for days in ['7d', '28d'] %}
            {{ money_average('revenue_' ~ days, 'revenue_' ~ days ~ '_average_days') }}
                as revenue_{{ days }}_average,
            revenue_{{ days }}_average_days,
        {% endfor %}
        event_date
    from windowed

)

select * from daily_revenue_averages
