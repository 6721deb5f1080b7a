with

products_dim as (
    select * from {{ ref('products_dim') }}
),

product_totals as (
    select * from {{ ref('product_totals') }}
),

product_audience as (
    select * from {{ ref('product_audience') }}
),

product_orders_started as (
    select * from {{ ref('product_orders_started') }}
),

product_buyers_acquired as (
    select * from {{ ref('product_buyers_acquired') }}
),

product_recent_revenue as (
    select * from {{ ref('product_recent_revenue') }}
),

product_ranks as (
    select * from {{ ref('product_ranks') }}
),

product_performance as (

    select
        products_dim.product_id,
        products_dim.category_id,
        products_dim.category_code,
        products_dim.category_l1,
        products_dim.category_l2,
        products_dim.category_l3,
        products_dim.brand,
        products_dim.current_price,
        products_dim.lowest_price,
        products_dim.highest_price,
        products_dim.price_changes,
        products_dim.first_seen_at,
        totals.views,
        totals.carts,
        totals.cart_removals,
        totals.purchases,
        coalesce(product_audience.viewers, 0) as viewers,
        coalesce(product_audience.buyers, 0) as buyers,
        totals.view_sessions,
        totals.cart_sessions,
        totals.purchase_sessions,
        coalesce(product_orders_started.orders_started, 0) as orders_started,
        coalesce(acquired.buyers_acquired, 0) as buyers_acquired,
        coalesce(acquired.buyers_acquired_left_censored, 0) as buyers_acquired_left_censored,
        {{ rate('totals.view_and_cart_sessions', 'totals.view_sessions') }} as view_to_cart_rate,
        {{ rate('totals.cart_and_purchase_sessions', 'totals.cart_sessions') }}
            as cart_to_purchase_rate,
        {{ rate('totals.view_and_purchase_sessions', 'totals.view_sessions') }}
            as view_to_purchase_rate,
        totals.revenue,
        {{ money_average('totals.revenue', 'totals.purchases') }} as average_selling_price,
        cast(coalesce(recent.revenue_7d, 0) as decimal(18, 2)) as revenue_7d,
        cast(coalesce(recent.revenue_28d, 0) as decimal(18, 2)) as revenue_28d,
        -- Where a product has no recent event, the data reach back further than both periods.
        cast(
            case when recent.product_id is null then 0 else recent.revenue_28d_before end
            as decimal(18, 2)
        ) as revenue_28d_before,
        {{ rate('recent.revenue_28d - recent.revenue_28d_before', 'recent.revenue_28d_before') }}
            as revenue_change_rate_28d,
        product_ranks.revenue_rank,
        product_ranks.revenue_rank_in_category,
        product_ranks.revenue_rank_in_category_code,
        product_ranks.revenue_rank_in_brand,
        product_ranks.revenue_share,
        product_ranks.pareto_class
    from products_dim
    inner join product_totals as totals on products_dim.product_id = totals.product_id
    inner join product_ranks on products_dim.product_id = product_ranks.product_id
    left join product_recent_revenue as recent on products_dim.product_id = recent.product_id
    left join product_audience on products_dim.product_id = product_audience.product_id
    left join product_orders_started on products_dim.product_id = product_orders_started.product_id
    left join product_buyers_acquired as acquired on products_dim.product_id = acquired.product_id

)

select * from product_performance
