{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_id', 'user_session'],
    liquid_clustered_by=['session_date', 'user_id'],
    on_schema_change='fail',
    meta={'replacing_rows': '_first_ingested_at < _updated_at'},
) }}

with

{{ import_if_incremental(updated_events()) }}

aggregated as (

    select
        session_id,
        any_value(user_id) as user_id,
        any_value(user_session) as user_session,
        min(event_time) as started_at,
        max(event_time) as ended_at,
        count(*) as events,
        {{ count_distinct_few('product_id') }} as products,
        min({{ root_category() }}) as lowest_category,
        max({{ root_category() }}) as highest_category,
        min(_ingested_at) as _first_ingested_at,
        max(_updated_at) as _updated_at
    from {{ events_to_build() }}
    group by session_id

),

{{ shopping_steps(events_to_build(), ['session_id']) }},

sessions as (

    select
        aggregated.session_id,
        aggregated.user_id,
        aggregated.user_session,
        cast(aggregated.started_at as date) as session_date,
        aggregated.started_at,
        aggregated.ended_at,
        {{ seconds_between('aggregated.started_at', 'aggregated.ended_at') }} as duration_seconds,
        aggregated.events,
        aggregated.products,
        case
            when aggregated.lowest_category = aggregated.highest_category
                then aggregated.lowest_category
        end as single_category_l1,
        {{ funnel_columns('aggregated') }},
        coalesce(shopping_steps.purchases > 0, false) as is_order,
        shopping_steps.first_purchased_product_id,
        aggregated._first_ingested_at,
        aggregated._updated_at
    from aggregated
    left join shopping_steps on aggregated.session_id = shopping_steps.session_id

)

select * from sessions
