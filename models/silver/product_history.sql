{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='product_id',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

{%- set states = ['category_id', 'category_code', 'brand', 'price'] %}

with

product_days as (

    -- The whole history of the products that have new events: a late one can begin a period.
    select product_days.*
    from {{ ref('product_days') }} as product_days
    where {{ is_touched('product_days', ['product_id'], by=ref('product_days')) }}

),

compared as (

    select
        *,
        {{ previous_states(states, 'product_id') }},
        max(_updated_at) over (partition by product_id) as newest_updated_at
    from product_days

),

changes as (
    select * from compared
    where {{ is_new_state(states) }}
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
        newest_updated_at as _updated_at
    from changes

)

select * from product_history
