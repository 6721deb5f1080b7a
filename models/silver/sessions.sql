{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['user_id', 'tracker_part'],
    liquid_clustered_by=['session_date', 'user_id'],
    on_schema_change='fail',
    meta={'delete_keys_where': '_first_batch_id < _batch_id'},
) }}

-- depends_on: {{ ref('batch_totals') }}

{#- Inlined: DuckDB materializes a CTE that is read twice, and all events do not fit in memory. -#}
{%- set events = since_last_batch(ref('events_cleaned')) %}

with

aggregated as (

    select
        session_id,
        any_value(user_id) as user_id,
        any_value({{ tracker_part() }}) as tracker_part,
        min(event_time) as started_at,
        max(event_time) as ended_at,
        count(*) as events,
        -- `count(distinct)` would keep a second hash table, which does not fit in memory.
        cast(size(collect_set(product_id)) as bigint) as products,
        -- A category named (all) would be counted as the whole shop.
        min(coalesce(nullif({{ category_level(1) }}, '(all)'), '(none)')) as lowest_category,
        max(coalesce(nullif({{ category_level(1) }}, '(all)'), '(none)')) as highest_category,
        min(_first_batch_id) as _first_batch_id,
        max(_first_batch_id) as _last_batch_id,
        max(_batch_id) as _batch_id
    from {{ events }}
    group by session_id

),

{{ shopping_steps(events, ['session_id']) }},

sessions as (

    select
        aggregated.session_id,
        aggregated.user_id,
        aggregated.tracker_part,
        cast(aggregated.started_at as date) as session_date,
        aggregated.started_at,
        aggregated.ended_at,
        unix_timestamp(aggregated.ended_at) - unix_timestamp(aggregated.started_at)
            as duration_seconds,
        aggregated.events,
        aggregated.products,
        case
            when aggregated.lowest_category = aggregated.highest_category
                then aggregated.lowest_category
        end as single_category_l1,
        {{ funnel_columns('aggregated') }},
        coalesce(shopping_steps.purchases > 0, false) as is_order,
        shopping_steps.first_purchased_product_id,
        aggregated._first_batch_id,
        aggregated._last_batch_id,
        aggregated._batch_id
    from aggregated
    left join shopping_steps on aggregated.session_id = shopping_steps.session_id

)

select * from sessions
