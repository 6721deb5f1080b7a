{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key='product_id',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

with

event_changes as (
    select * from {{ changes(ref('event_changes')) }}
),

session_products as (

    select
        product_id,
        session_id,
        _sign,
        count(*) as events,
        {{ event_counts() }},
        max(_batch_id) as _batch_id
    from event_changes
    group by product_id, session_id, _sign

),

product_totals as (

    select
        product_id,
        cast(sum(_sign * events) as bigint) as events,
        cast(sum(_sign * views) as bigint) as views,
        cast(sum(_sign * carts) as bigint) as carts,
        cast(sum(_sign * cart_removals) as bigint) as cart_removals,
        cast(sum(_sign * purchases) as bigint) as purchases,
        cast(sum(_sign * revenue) as decimal(18, 2)) as revenue,
        cast(sum(case when views > 0 then _sign else 0 end) as bigint) as view_sessions,
        cast(sum(case when carts > 0 then _sign else 0 end) as bigint) as cart_sessions,
        cast(sum(case when purchases > 0 then _sign else 0 end) as bigint) as purchase_sessions,
        cast(sum(case when views > 0 and carts > 0 then _sign else 0 end) as bigint)
            as view_and_cart_sessions,
        cast(sum(case when views > 0 and purchases > 0 then _sign else 0 end) as bigint)
            as view_and_purchase_sessions,
        cast(sum(case when carts > 0 and purchases > 0 then _sign else 0 end) as bigint)
            as cart_and_purchase_sessions,
        max(_batch_id) as _batch_id
    from session_products
    group by product_id

)

select * from product_totals
