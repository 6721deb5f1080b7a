{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key='product_id',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

with

product_daily_states as (
    select * from {{ with_changed_keys(
        ref('product_daily_states'), ['product_id'], changed_in=ref('product_daily_states')
    ) }}
),

compared as (

    select
        *,
        {{ previous_states('product_id') }},
        max(_batch_id) over (partition by product_id) as newest_batch_id
    from product_daily_states

),

changes as (
    select * from compared
    where {{ is_new_state() }}
),

numbered as (

    -- A price of 0 is none, so that its periods have the number of the priced one before them.
    select
        *,
        count(case when price > 0 then 1 end) over (
            partition by product_id order by event_time
        ) as price_number
    from changes

),

priced as (

    select
        *,
        nullif(max(price) over (partition by product_id, price_number), 0) as newest_price
    from numbered

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
        lag(newest_price) over (partition by product_id order by event_time) as previous_price,
        newest_batch_id as _batch_id
    from priced

)

select * from product_history
