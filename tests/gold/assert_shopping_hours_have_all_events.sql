-- Whatever the time zone, the hours of the week have the events and the revenue of all days.
with

hours as (

    select
        coalesce(sum(events), 0) as events,
        coalesce(sum(revenue), 0) as revenue,
        count(*) as hours_of_the_week
    from {{ ref('shopping_hours') }}

),

calendar_days as (

    select
        coalesce(sum(events), 0) as events,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('daily_sales_summary') }}

)

select
    hours.*,
    calendar_days.events as shop_events,
    calendar_days.revenue as shop_revenue
from hours
cross join calendar_days
where
    hours.events <> calendar_days.events
    or hours.revenue <> calendar_days.revenue
    or hours.hours_of_the_week <> 168
