{{ config(materialized='view') }}

with

events_cleaned as (
    select * from {{ ref('events_cleaned') }}
),

events as (

    select
        {{ event_columns() }},
        _source_file,
        _ingested_at,
        _first_batch_id,
        _batch_id,
        session_id,
        event_date,
        event_hour,
        {{ category_level(1) }} as category_l1,
        {{ category_level(2) }} as category_l2,
        {{ category_level(3) }} as category_l3
    from events_cleaned

)

select * from events
