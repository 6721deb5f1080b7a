-- Revenue, orders and buyers are equal in these four marts and in silver, to the cent and the row.
with

silver as (

    select
        'silver' as relation,
        coalesce(sum(revenue), 0) as revenue,
        coalesce(sum(case when is_order then 1 else 0 end), 0) as orders,
        count(distinct case when is_order then user_id end) as buyers
    from {{ ref('sessions') }}

),

marts as (

    select
        'clean events' as relation,
        coalesce(sum(price), 0) as revenue,
        count(distinct session_id) as orders,
        count(distinct user_id) as buyers
    from {{ ref('events_cleaned') }}
    where event_type = 'purchase'

    union all

    select
        'customer_metrics' as relation,
        coalesce(sum(revenue), 0) as revenue,
        coalesce(sum(orders), 0) as orders,
        coalesce(sum(case when orders > 0 then 1 else 0 end), 0) as buyers
    from {{ ref('customer_metrics') }}

    union all

    select
        'product_performance' as relation,
        coalesce(sum(revenue), 0) as revenue,
        coalesce(sum(orders_started), 0) as orders,
        coalesce(sum(buyers_acquired), 0) as buyers
    from {{ ref('product_performance') }}

    union all

    select
        'daily_sales_summary' as relation,
        coalesce(sum(revenue), 0) as revenue,
        coalesce(sum(orders), 0) as orders,
        coalesce(sum(new_buyers), 0) as buyers
    from {{ ref('daily_sales_summary') }}

    union all

    select
        'conversion_funnel' as relation,
        coalesce(sum(session_revenue), 0) as revenue,
        coalesce(sum(sessions_with_purchase), 0) as orders,
        coalesce(sum(sessions_with_first_order), 0) as buyers
    from {{ ref('conversion_funnel') }}
    where category_l1 = '(all)'

)

select
    marts.*,
    silver.revenue as silver_revenue,
    silver.orders as silver_orders,
    silver.buyers as silver_buyers
from marts
cross join silver
where
    marts.revenue <> silver.revenue
    or marts.orders <> silver.orders
    or marts.buyers <> silver.buyers
