{{ config(materialized='ephemeral') }}

with

compared as (

    -- Every calendar day has a row, so that seven rows before is the same weekday.
    select
        *,
        lag(revenue) over (order by event_date) as previous_day,
        lag(revenue, 7) over (order by event_date) as same_weekday
    from {{ ref('daily_complete_revenue') }}

),

daily_revenue_changes as (

    select
        {% for day in ['previous_day', 'same_weekday'] %}
            cast(revenue - {{ day }} as decimal(18, 2)) as revenue_change_from_{{ day }},
            {{ rate('revenue - ' ~ day, day) }}
                as revenue_change_rate_from_{{ day }},
        {% endfor %}
        event_date
    from compared

)

select * from daily_revenue_changes
