{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='event_date',
    on_schema_change='fail',
) }}

{%- set rows_of_the_funnel = [
    ('sessions', "'(all)'"),
    ('sessions', 'single_category_l1'),
    ('session_categories', 'category_l1'),
] %}

with

updated_events as (
    {{ updated_events() }}
),

touched_days as (

    -- A session changes with a new event in it, and begins with one of its events, before an update
    -- and after it. A day that has lost its last session to an earlier day stays as a row, so that
    -- its old row goes.
    select
        event_date,
        max(_updated_at) as _updated_at
    from updated_events
    where {{ is_of_changed_session() }}
    group by event_date

),

sessions as (
    select * from {{ ref('sessions') }}
    where {{ is_of_touched_day() }}
),

session_categories as (
    select * from {{ ref('session_categories') }}
    where {{ is_of_touched_day() }}
),

sessions_counted as (

    select
        session_date as event_date,
        single_category_l1 as category_l1,
        {{ funnel_counts() }}
    from sessions
    group by session_date, single_category_l1

),

session_categories_counted as (

    select
        session_date as event_date,
        category_l1,
        {{ funnel_counts() }}
    from session_categories
    group by session_date, category_l1

),

categories_counted as (

    select * from sessions_counted
    where category_l1 is not null

    union all

    select * from session_categories_counted

),

counted as (

    select
        event_date,
        '(all)' as category_l1,
        {{ sum_funnel_counts() }}
    from sessions_counted
    group by event_date

    union all

    select
        event_date,
        category_l1,
        {{ sum_funnel_counts() }}
    from categories_counted
    group by event_date, category_l1

),

timed as (

    -- The one session in eight that has more than views, for the shop and for its categories.
    {% for table, category in rows_of_the_funnel %}
        select
            session_date as event_date,
            {{ category }} as category_l1,
            seconds_to_cart,
            seconds_to_purchase
        from {{ table }}
        where
            {{ category }} is not null
            and coalesce(seconds_to_cart, seconds_to_purchase) is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

medians as (

    select
        event_date,
        category_l1,
        cast(median(seconds_to_cart) as double) as median_seconds_to_cart,
        cast(median(seconds_to_purchase) as double) as median_seconds_to_purchase
    from timed
    group by event_date, category_l1

),

funnel_days as (

    select
        touched_days.event_date,
        coalesce(counted.category_l1, '(all)') as category_l1,
        {% for count in funnel_conditions() %}
            coalesce(counted.{{ count }}, 0) as {{ count }},
        {% endfor %}
        cast(coalesce(counted.revenue, 0) as decimal(18, 2)) as revenue,
        medians.median_seconds_to_cart,
        medians.median_seconds_to_purchase,
        touched_days._updated_at
    from touched_days
    left join counted on touched_days.event_date = counted.event_date
    left join medians
        on
            counted.event_date = medians.event_date
            and counted.category_l1 = medians.category_l1

)

select * from funnel_days
