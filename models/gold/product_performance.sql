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

ranked as (

    -- Products with equal revenue share a rank; the running total orders them by product id.
    select
        products_dim.*,
        product_totals.views,
        product_totals.carts,
        product_totals.cart_removals,
        product_totals.purchases,
        product_totals.view_sessions,
        product_totals.cart_sessions,
        product_totals.purchase_sessions,
        product_totals.view_and_cart_sessions,
        product_totals.view_and_purchase_sessions,
        product_totals.cart_and_purchase_sessions,
        product_totals.revenue,
        cast(rank() over (order by product_totals.revenue desc) as bigint) as revenue_rank,
        cast(rank() over (
            partition by products_dim.category_code order by product_totals.revenue desc
        ) as bigint) as rank_in_category,
        cast(rank() over (
            partition by products_dim.brand order by product_totals.revenue desc
        ) as bigint) as rank_in_brand,
        sum(product_totals.revenue) over () as shop_revenue,
        sum(product_totals.revenue) over (
            order by product_totals.revenue desc, products_dim.product_id asc
            rows between unbounded preceding and current row
        ) - product_totals.revenue as revenue_above
    from products_dim
    inner join product_totals on products_dim.product_id = product_totals.product_id

),

product_performance as (

    select
        ranked.product_id,
        ranked.category_id,
        ranked.category_code,
        ranked.category_l1,
        ranked.brand,
        ranked.current_price,
        ranked.lowest_price,
        ranked.highest_price,
        ranked.price_changes,
        ranked.first_seen_at,
        ranked.views,
        ranked.carts,
        ranked.cart_removals,
        ranked.purchases,
        coalesce(product_audience.viewers, 0) as viewers,
        coalesce(product_audience.buyers, 0) as buyers,
        ranked.view_sessions,
        ranked.cart_sessions,
        ranked.purchase_sessions,
        coalesce(product_orders_started.orders_started, 0) as orders_started,
        coalesce(product_buyers_acquired.buyers_acquired, 0) as buyers_acquired,
        {{ rate('ranked.view_and_cart_sessions', 'ranked.view_sessions') }} as view_to_cart_rate,
        {{ rate('ranked.cart_and_purchase_sessions', 'ranked.cart_sessions') }}
            as cart_to_purchase_rate,
        {{ rate('ranked.view_and_purchase_sessions', 'ranked.view_sessions') }}
            as view_to_purchase_rate,
        ranked.revenue,
        ranked.revenue_rank,
        case when ranked.category_code is not null then ranked.rank_in_category end
            as revenue_rank_in_category,
        case when ranked.brand is not null then ranked.rank_in_brand end as revenue_rank_in_brand,
        {{ rate('ranked.revenue', 'ranked.shop_revenue') }} as revenue_share,
        -- The revenue ranked above the product decides, so that class A makes at least its share.
        case
            when ranked.revenue = 0 then null
            when ranked.revenue_above < ranked.shop_revenue * {{ var('pareto_a_share') }} then 'A'
            when ranked.revenue_above < ranked.shop_revenue * {{ var('pareto_b_share') }} then 'B'
            else 'C'
        end as pareto_class
    from ranked
    left join product_audience on ranked.product_id = product_audience.product_id
    left join product_orders_started on ranked.product_id = product_orders_started.product_id
    left join product_buyers_acquired on ranked.product_id = product_buyers_acquired.product_id

)

select * from product_performance
