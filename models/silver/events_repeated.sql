{{ config(materialized='view') }}

with

repeated as (

    -- Copies of an event have these three in common, so only rows that share them are compared:
    -- about one in a thousand, found without the keys and rules of all others.
    select
        event_time,
        user_id,
        product_id
    from {{ raw_events() }}
    group by event_time, user_id, product_id
    having count(*) > 1

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
