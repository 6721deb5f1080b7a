{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key='product_id',
    on_schema_change='fail',
) }}

with

new_product_users as (
    -- Rows of product_users are only ever inserted, so each counts once.
    select * from {{ since_last_batch(ref('product_users')) }}
),

product_audience as (

    select
        product_id,
        count(*) filter (where event_type = 'view') as viewers,
        count(*) filter (where event_type = 'purchase') as buyers,
        max(_batch_id) as _batch_id
    from new_product_users
    group by product_id

)

select * from product_audience
