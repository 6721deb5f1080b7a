{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='product_id',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

with

events as (
    {{ touched_events(['product_id']) }}
),

ranked as (

    -- The data holds several prices within one second; one of them, the same on every run, stands
    -- for that second, so that no period has zero length.
    select
        *,
        row_number() over (partition by product_id, event_time order by event_id) as rank_in_second,
        max(_ingested_at) over (partition by product_id) as newest_ingested_at
    from events

),

observations as (

    select
        product_id,
        event_time,
        category_id,
        category_code,
        brand,
        price,
        newest_ingested_at,
        lag(event_time) over (partition by product_id order by event_time) as previous_event_time,
        lag(category_id) over (partition by product_id order by event_time) as previous_category_id,
        lag(category_code) over (partition by product_id order by event_time)
            as previous_category_code,
        lag(brand) over (partition by product_id order by event_time) as previous_brand,
        lag(price) over (partition by product_id order by event_time) as previous_price
    from ranked
    where rank_in_second = 1

),

changes as (

    select * from observations
    where
        previous_event_time is null
        or price is distinct from previous_price
        or brand is distinct from previous_brand
        or category_id is distinct from previous_category_id
        or category_code is distinct from previous_category_code

),

product_history as (

    select
        product_id,
        cast(
            row_number() over (partition by product_id order by event_time) as bigint
        ) as version_number,
        event_time as valid_from,
        lead(event_time) over (partition by product_id order by event_time) as valid_to,
        lead(event_time) over (partition by product_id order by event_time) is null as is_current,
        category_id,
        category_code,
        brand,
        price,
        previous_price,
        newest_ingested_at as _ingested_at
    from changes

)

select * from product_history
