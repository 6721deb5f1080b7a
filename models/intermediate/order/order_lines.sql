{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key=['session_id', 'user_id', 'product_id', 'category_code', 'brand'],
    liquid_clustered_by=['user_id'],
    on_schema_change='fail',
) }}

with

purchase_changes as (
    select * from {{ changes(ref('event_changes')) }}
    where event_type = 'purchase'
),

order_lines as (

    select
        session_id,
        user_id,
        product_id,
        coalesce(category_code, '(none)') as category_code,
        coalesce(brand, '(none)') as brand,
        cast(sum(_sign) as bigint) as units,
        cast(sum(_sign * price) as decimal(18, 2)) as revenue,
        max(_batch_id) as _batch_id
    from purchase_changes
    group by
        session_id, user_id, product_id, coalesce(category_code, '(none)'),
        coalesce(brand, '(none)')

)

select * from order_lines
