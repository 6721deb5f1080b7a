{{ config(materialized='ephemeral') }}

with

dated as (

    select
        *,
        {{ as_of_date() }} as as_of_date
    from {{ ref('product_days') }}

),

aged as (

    select
        product_id,
        revenue,
        unix_date(as_of_date) - unix_date(event_date) as days_ago
    from dated

),

product_recent_revenue as (

    select
        product_id,
        cast(sum(case when days_ago < 7 then revenue else 0 end) as decimal(18, 2)) as revenue_7d,
        cast(sum(case when days_ago < 28 then revenue else 0 end) as decimal(18, 2))
            as revenue_28d,
        cast(sum(case when days_ago >= 28 then revenue else 0 end) as decimal(18, 2))
            as revenue_28d_before
    from aged
    where days_ago between 0 and 55
    group by product_id

)

select * from product_recent_revenue
