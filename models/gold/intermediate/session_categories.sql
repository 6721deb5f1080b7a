{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_id', 'user_session'],
    liquid_clustered_by=['session_date', 'user_id'],
    on_schema_change='fail',
    meta={'replacing_rows': '_first_ingested_at < _updated_at'},
) }}

with

events as (
    {{ updated_events() }}
),

sessions as (
    select * from {{ ref('sessions') }}
    where
        single_category_l1 is null
        and {{ newly_updated() }}
),

categorised as (

    select
        events.session_id,
        events.event_time,
        events.event_type,
        events.product_id,
        events.price,
        events._updated_at,
        {{ root_category('events') }} as category_l1
    from events
    inner join sessions on events.session_id = sessions.session_id

),

aggregated as (

    select
        session_id,
        category_l1,
        count(*) as events,
        min(event_time) as started_at,
        max(_updated_at) as _updated_at
    from categorised
    group by session_id, category_l1

),

{{ shopping_steps('categorised', ['session_id', 'category_l1']) }},

session_categories as (

    select
        aggregated.session_id,
        aggregated.category_l1,
        sessions.user_id,
        sessions.user_session,
        sessions.session_date,
        aggregated.events,
        {{ funnel_columns('aggregated') }},
        sessions._first_ingested_at,
        aggregated._updated_at
    from aggregated
    inner join sessions on aggregated.session_id = sessions.session_id
    left join shopping_steps
        on
            aggregated.session_id = shopping_steps.session_id
            and aggregated.category_l1 = shopping_steps.category_l1

)

select * from session_categories
