{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_id', 'user_session'],
    liquid_clustered_by=['session_date', 'user_id'],
    on_schema_change='fail',
) }}

with

events as (
    {{ touched_events(['user_id', 'user_session']) }}
),

timed as (

    select
        *,
        {{ root_category() }} as root_category,
        min(event_time) over (partition by session_id) as started_at,
        {{ first_step_times('session_id, ' ~ root_category()) }}
    from events

),

aggregated as (

    select
        session_id,
        root_category as category_l1,
        min(user_id) as user_id,
        min(user_session) as user_session,
        min(started_at) as started_at,
        count(*) as events,
        {{ funnel_steps() }},
        max(_ingested_at) as _ingested_at
    from timed
    group by session_id, root_category

),

session_categories as (

    select
        session_id,
        category_l1,
        user_id,
        user_session,
        cast(started_at as date) as session_date,
        events,
        {{ funnel_columns() }},
        _ingested_at
    from aggregated

)

select * from session_categories
