{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key=['event_date', 'category_l1', 'category_l2', 'category_l3', 'brand'],
    liquid_clustered_by=['event_date'],
    on_schema_change='fail',
) }}

with

event_changes as (

    select
        *,
        coalesce(category_l1, '(none)') as l1,
        coalesce(category_l2, '(none)') as l2,
        coalesce(category_l3, '(none)') as l3,
        coalesce(brand, '(none)') as brand_name
    from {{ changes(ref('event_changes')) }}

),

category_brand_days as (

    select
        event_date,
        l1 as category_l1,
        l2 as category_l2,
        l3 as category_l3,
        brand_name as brand,
        cast(sum(_sign) as bigint) as events,
        {{ event_counts(sign='_sign') }},
        cast(sum(_sign * price) as decimal(18, 2)) as price_sum,
        max(_batch_id) as _batch_id
    from event_changes
    group by event_date, l1, l2, l3, brand_name

)

select * from category_brand_days
