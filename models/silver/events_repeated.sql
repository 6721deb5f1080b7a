{{ config(materialized='view') }}

with

repeated as (
    {{ repeated_events(raw_events()) }}
),

raw_events as (

    select raw_events.*
    from {{ raw_events() }} as raw_events
    inner join repeated
        on
            raw_events.event_time = repeated.event_time
            and raw_events.user_id = repeated.user_id
            and raw_events.product_id = repeated.product_id

),

{{ staged_events('raw_events') }}

select * from judged
