{{ config(materialized='ephemeral') }}

with

bought as (

    -- Categories and brands of one product are one product here.
    select distinct
        order_lines.session_id,
        order_lines.user_id,
        order_lines.product_id,
        cast(sessions.first_purchase_at as date) as order_date
    from {{ ref('order_lines') }} as order_lines
    inner join {{ ref('sessions') }} as sessions on order_lines.session_id = sessions.session_id
    where sessions.is_order

),

affinity_baskets as (

    select
        'order' as basis,
        session_id as basket_id,
        product_id,
        order_date
    from bought

    union all

    select distinct
        'customer' as basis,
        cast(user_id as string) as basket_id,
        product_id,
        order_date
    from bought

)

select * from affinity_baskets
