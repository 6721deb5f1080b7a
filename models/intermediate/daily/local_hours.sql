{{ config(materialized='ephemeral') }}

with

quarters_of_the_day as (

    select unix_date(numbers.any_date) as quarter_of_day
    from (select explode(sequence(date '1970-01-01', date '1970-04-06')) as any_date) as numbers

),

quarters as (

    select
        days.event_date,
        days.day_kind,
        quarters_of_the_day.quarter_of_day,
        cast(days.event_date as timestamp)
        + quarters_of_the_day.quarter_of_day * interval 15 minutes as started_at
    from {{ ref('daily_completeness') }} as days
    cross join quarters_of_the_day

),

counted as (

    select
        quarters.day_kind,
        {% for count in ['events', 'views', 'carts', 'purchases', 'revenue'] %}
            coalesce(quarter_hours.{{ count }}, 0) as {{ count }},
        {% endfor %}
        {{ local_time('quarters.started_at') }} as local_time
    from quarters
    left join {{ ref('quarter_hours') }} as quarter_hours
        on
            quarters.event_date = quarter_hours.event_date
            and quarters.quarter_of_day = quarter_hours.quarter_of_day

),

local_hours as (

    -- An hour at the ends of the data, or of which a part lies on an incomplete day, is not whole.
    select
        cast(local_time as date) as local_date,
        cast(extract(hour from local_time) as int) as local_hour,
        count(*) >= 4 and bool_and(day_kind = 'complete') as is_complete,
        {% for count in ['events', 'views', 'carts', 'purchases'] %}
            cast(sum({{ count }}) as bigint) as {{ count }},
        {% endfor %}
        cast(sum(revenue) as decimal(18, 2)) as revenue
    from counted
    group by cast(local_time as date), cast(extract(hour from local_time) as int)

)

select * from local_hours
