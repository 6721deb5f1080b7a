{{ config(
    materialized='incremental',
    incremental_strategy='insert_missing',
    unique_key=['user_id', 'product_id', 'event_type'],
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

-- depends_on: {{ ref('batch_totals') }}

with

events as (
    select * from {{ since_last_batch(ref('events_cleaned')) }}
),

product_users as (

    select
        product_id,
        user_id,
        event_type,
        max(_batch_id) as _batch_id
    from events
    where event_type in ('view', 'purchase')
    group by product_id, user_id, event_type

)

select * from product_users
