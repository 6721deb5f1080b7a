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
        {{ first_step_times('session_id') }}
    from events

),

aggregated as (

    select
        session_id,
        min(user_id) as user_id,
        min(user_session) as user_session,
        min(event_time) as started_at,
        max(event_time) as ended_at,
        count(*) as events,
        count(distinct product_id) as products,
        {{ funnel_steps() }},
        -- Two purchases within one second: the lower product id leads, on every engine.
        min(case
            when event_type = 'purchase' and event_time = first_purchase_at then product_id
        end) as first_purchased_product_id,
        max(_ingested_at) as _ingested_at
    from timed
    group by session_id

),

sessions as (

    select
        session_id,
        user_id,
        user_session,
        cast(started_at as date) as session_date,
        started_at,
        ended_at,
        {{ seconds_between('started_at', 'ended_at') }} as duration_seconds,
        events,
        products,
        {{ funnel_columns() }},
        purchases > 0 as is_order,
        first_purchased_product_id,
        _ingested_at
    from aggregated

)

select * from sessions
