{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['user_id', 'tracker_part'],
    liquid_clustered_by=['session_date', 'user_id'],
    on_schema_change='fail',
    meta={'delete_keys_where': '_first_batch_id < _batch_id'},
) }}

with

events as (
    select * from {{ since_last_batch(ref('events_cleaned')) }}
),

sessions as (
    select * from {{ since_last_batch(ref('sessions')) }}
    where single_category_l1 is null
),

categorized as (

    select
        events.session_id,
        events.event_time,
        events.event_type,
        events.product_id,
        events.price,
        events._batch_id,
        coalesce(nullif({{ category_level(1, 'events.category_code') }}, '(all)'), '(none)')
            as category_l1
    from events
    inner join sessions on events.session_id = sessions.session_id

),

aggregated as (

    select
        session_id,
        category_l1,
        count(*) as events,
        min(event_time) as started_at,
        max(_batch_id) as _batch_id
    from categorized
    group by session_id, category_l1

),

{{ shopping_steps('categorized', ['session_id', 'category_l1']) }},

session_categories as (

    select
        aggregated.session_id,
        aggregated.category_l1,
        sessions.user_id,
        sessions.tracker_part,
        sessions.session_date,
        aggregated.events,
        {{ funnel_columns('aggregated') }},
        sessions._first_batch_id,
        aggregated._batch_id
    from aggregated
    inner join sessions on aggregated.session_id = sessions.session_id
    left join shopping_steps
        on
            aggregated.session_id = shopping_steps.session_id
            and aggregated.category_l1 = shopping_steps.category_l1

)

select * from session_categories
