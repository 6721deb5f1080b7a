{{ config(materialized='ephemeral') }}

with

products_dim as (
    select * from {{ ref('products_dim') }}
),

product_totals as (
    select * from {{ ref('product_totals') }}
),

ranked as (

    -- Products with equal revenue share a rank; the running total orders them by product id.
    select
        products_dim.*,
        product_totals.revenue,
        {% for place, partition in [
            ('', ''),
            ('_in_category', 'partition by products_dim.category_id '),
            ('_in_category_code', 'partition by products_dim.category_code '),
            ('_in_brand', 'partition by products_dim.brand '),
        ] %}
            cast(rank() over (
                {{ partition }}order by product_totals.revenue desc
            ) as bigint) as revenue_rank{{ place }},
        {% endfor %}
        sum(product_totals.revenue) over () as shop_revenue,
        sum(product_totals.revenue) over (
            order by product_totals.revenue desc, products_dim.product_id asc
            rows between unbounded preceding and current row
        ) - product_totals.revenue as revenue_above
    from products_dim
    inner join product_totals on products_dim.product_id = product_totals.product_id

),

product_ranks as (

    select
        product_id,
        revenue_rank,
        revenue_rank_in_category,
        case when category_code is not null then revenue_rank_in_category_code end
            as revenue_rank_in_category_code,
        case when brand is not null then revenue_rank_in_brand end as revenue_rank_in_brand,
        {{ rate('revenue', 'shop_revenue') }} as revenue_share,
        -- The revenue ranked above the product decides, so that class A makes at least its share.
        case
            when revenue = 0 then null
            when revenue_above < shop_revenue * {{ var('pareto_a_share') }} then 'A'
            when revenue_above < shop_revenue * {{ var('pareto_b_share') }} then 'B'
            else 'C'
        end as pareto_class
    from ranked

)

select * from product_ranks
