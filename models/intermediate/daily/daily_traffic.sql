with

hourly_activity as (
    select * from {{ ref('hourly_activity') }}
),

ranked as (

    -- Of equal hours the earlier one is the peak.
    select
        *,
        row_number() over (
            partition by event_date order by events desc, event_hour asc
        ) as traffic_rank,
        row_number() over (
            partition by event_date order by revenue desc, event_hour asc
        ) as sales_rank
    from hourly_activity

),

daily_traffic as (

    select
        event_date,
        cast(sum(events) as bigint) as events,
        cast(sum(views) as bigint) as views,
        cast(sum(carts) as bigint) as carts,
        cast(sum(cart_removals) as bigint) as cart_removals,
        cast(sum(purchases) as bigint) as purchases,
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        min(case when traffic_rank = 1 then event_hour end) as peak_traffic_hour,
        min(case when sales_rank = 1 and revenue > 0 then event_hour end) as peak_sales_hour
    from ranked
    group by event_date

)

select * from daily_traffic
