with

hours_of_the_week as (

    select unix_date(numbers.any_date) as hour_of_week
    from (select explode(sequence(date '1970-01-01', date '1970-06-17')) as any_date) as numbers

),

counted as (

    -- Day 0 of the Unix calendar is a Thursday, the fourth weekday.
    select
        (unix_date(local_date) + 3) % 7 * 24 + local_hour as hour_of_week,
        count(*) filter (where is_complete) as days,
        {% for count in ['events', 'views', 'carts', 'purchases', 'revenue'] %}
            sum({{ count }}) as {{ count }},
        {% endfor %}
        sum(case when is_complete then events else 0 end) as complete_events,
        sum(case when is_complete then purchases else 0 end) as complete_purchases,
        sum(case when is_complete then revenue else 0 end) as complete_revenue
    from {{ ref('local_hours') }}
    group by (unix_date(local_date) + 3) % 7 * 24 + local_hour

),

shopping_hours as (

    select
        cast(floor(hours_of_the_week.hour_of_week / 24) + 1 as int) as weekday,
        cast(hours_of_the_week.hour_of_week % 24 as int) as hour,
        coalesce(counted.days, 0) as days,
        {% for count in ['events', 'views', 'carts', 'purchases'] %}
            cast(coalesce(counted.{{ count }}, 0) as bigint) as {{ count }},
        {% endfor %}
        cast(coalesce(counted.revenue, 0) as decimal(18, 2)) as revenue,
        {{ rate('counted.complete_events', 'counted.days') }} as average_events,
        {{ rate('counted.complete_purchases', 'counted.days') }} as average_purchases,
        {{ money_average('counted.complete_revenue', 'counted.days') }} as average_revenue
    from hours_of_the_week
    left join counted on hours_of_the_week.hour_of_week = counted.hour_of_week

)

select * from shopping_hours
