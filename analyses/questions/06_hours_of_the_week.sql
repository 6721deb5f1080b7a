-- At which hours of which weekdays do people look, and when do they buy?
select
    weekday,
    hour,
    days,
    round(average_events, 1) as average_events,
    round(average_purchases, 2) as average_purchases,
    average_revenue
from {{ ref('shopping_hours') }}
order by weekday, hour
