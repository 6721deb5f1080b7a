{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key=['product_id', 'event_date'],
    liquid_clustered_by=['event_date', 'product_id'],
    on_schema_change='fail',
) }}

with

event_changes as (
    select * from {{ changes(ref('event_changes')) }}
),

product_days as (

    select
        product_id,
        event_date,
        cast(sum(_sign) as bigint) as events,
        {{ event_counts(sign='_sign') }},
        max(_batch_id) as _batch_id
    from event_changes
    group by product_id, event_date

)

select * from product_days
