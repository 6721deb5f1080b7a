{{ config(materialized='ephemeral') }}

with

dated as (

    select
        *,
        {{ as_of_date() }} as as_of_date
    from {{ ref('product_days') }}

),

first_day as (

    select min(event_date) as first_date
    from {{ ref('product_days') }}

),

aged as (

    select
        dated.product_id,
        dated.revenue,
        unix_date(dated.as_of_date) - unix_date(dated.event_date) as days_ago,
        unix_date(dated.as_of_date) - unix_date(first_day.first_date) >= 55 as is_whole_before
    from dated
    cross join first_day

),

product_recent_revenue as (

    select
        product_id,
        cast(sum(case when days_ago < 7 then revenue else 0 end) as decimal(18, 2)) as revenue_7d,
        cast(sum(case when days_ago < 28 then revenue else 0 end) as decimal(18, 2))
            as revenue_28d,
        cast(
            sum(
                case
                    when is_whole_before and days_ago >= 28 then revenue
                    when is_whole_before then 0
                end
            ) as decimal(18, 2)
        ) as revenue_28d_before
    from aged
    where days_ago between 0 and 55
    group by product_id

)

select * from product_recent_revenue
