{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key='event_date',
    on_schema_change='fail',
) }}

with

calendar as (
    select * from {{ ref('calendar') }}
),

changed_spans as (

    select
        session_date as first_date,
        cast(ended_at as date) as last_date,
        max(_last_batch_id) as _batch_id
    from {{ since_last_batch(ref('sessions'), '_last_batch_id') }}
    group by session_date, cast(ended_at as date)

),

changed_days as (

    -- A late event can move a session's start within the days that the session spans. A day left
    -- without sessions keeps an empty row, which replaces its old counts.
    select
        calendar.event_date,
        max(changed_spans._batch_id) as _batch_id
    from calendar
    inner join changed_spans
        on calendar.event_date between changed_spans.first_date and changed_spans.last_date
    group by calendar.event_date

),

session_rows as (

    {% for sessions, category in [
        ('sessions', "'(all)'"),
        ('sessions', 'single_category_l1'),
        ('session_categories', 'category_l1'),
    ] %}
        select
            session_date,
            {{ category }} as category_l1,
            views,
            carts,
            purchases,
            revenue,
            is_view_then_cart,
            is_view_cart_purchase_in_order,
            seconds_to_cart,
            seconds_to_purchase
        from {{ ref(sessions) }}
        where
            {{ category }} is not null
            and session_date in (select changed_days.event_date from changed_days)
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

counted as (

    select
        session_date,
        category_l1,
        {% for count, condition in funnel_conditions().items() %}
            count(*) filter (where {{ condition }}) as {{ count }},
        {% endfor %}
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        cast(median(seconds_to_cart) as double) as median_seconds_to_cart,
        cast(median(seconds_to_purchase) as double) as median_seconds_to_purchase
    from session_rows
    group by session_date, category_l1

),

funnel_daily as (

    select
        changed_days.event_date,
        coalesce(counted.category_l1, '(all)') as category_l1,
        {% for count in funnel_conditions() %}
            coalesce(counted.{{ count }}, 0) as {{ count }},
        {% endfor %}
        cast(coalesce(counted.revenue, 0) as decimal(18, 2)) as revenue,
        counted.median_seconds_to_cart,
        counted.median_seconds_to_purchase,
        changed_days._batch_id
    from changed_days
    left join counted on changed_days.event_date = counted.session_date

)

select * from funnel_daily
