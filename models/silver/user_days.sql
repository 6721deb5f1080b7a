{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['user_id', 'event_date'],
    liquid_clustered_by=['event_date', 'user_id'],
    on_schema_change='fail',
) }}

with

events as (
    {{ new_events() }}
),

counted as (

    select
        user_id,
        event_date,
        count(*) as events,
        {{ event_counts() }},
        max(_updated_at) as _updated_at
    from events
    group by user_id, event_date

),

user_days as (
    {{ add_to_kept_counts('counted', ['user_id', 'event_date'], ['events'] + event_count_names()) }}
)

select * from user_days
