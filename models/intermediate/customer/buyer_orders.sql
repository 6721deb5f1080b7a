{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key='user_id',
    liquid_clustered_by=['user_id'],
    on_schema_change='fail',
) }}

with

order_sessions as (
    select * from {{ with_changed_keys(
        ref('sessions'), ['user_id'], changed_in=ref('sessions')
    ) }}
    where is_order
),

order_lines as (
    select * from {{ with_changed_keys(
        ref('order_lines'), ['user_id'], changed_in=ref('sessions')
    ) }}
),

numbered as (

    -- Of two orders with the same time the one with the lower session id is the first.
    select
        *,
        row_number() over (
            partition by user_id order by first_purchase_at, session_id
        ) as order_number
    from order_sessions

),

buyers as (

    select
        user_id,
        min(case when order_number = 1 then session_id end) as first_order_session_id,
        min(case when order_number = 2 then first_purchase_at end) as second_order_at,
        max(_batch_id) as _batch_id
    from numbered
    group by user_id

),

category_ranks as (

    select
        order_lines.user_id,
        order_lines.category_code,
        row_number() over (
            partition by order_lines.user_id
            order by sum(order_lines.revenue) desc, order_lines.category_code asc
        ) as revenue_rank,
        row_number() over (
            partition by order_lines.user_id
            order by
                sum(case when buyers.user_id is not null then order_lines.revenue else 0 end) desc,
                order_lines.category_code asc
        ) as first_order_rank
    from order_lines
    left join buyers on order_lines.session_id = buyers.first_order_session_id
    group by order_lines.user_id, order_lines.category_code

),

brand_ranks as (

    select
        user_id,
        brand,
        row_number() over (
            partition by user_id order by sum(revenue) desc, brand
        ) as revenue_rank
    from order_lines
    group by user_id, brand

),

buyer_orders as (

    select
        buyers.user_id,
        buyers.second_order_at,
        first_categories.category_code as first_order_category,
        favorite_categories.category_code as favorite_category,
        favorite_brands.brand as favorite_brand,
        buyers._batch_id
    from buyers
    inner join category_ranks as first_categories
        on buyers.user_id = first_categories.user_id and first_categories.first_order_rank = 1
    inner join category_ranks as favorite_categories
        on buyers.user_id = favorite_categories.user_id and favorite_categories.revenue_rank = 1
    inner join brand_ranks as favorite_brands
        on buyers.user_id = favorite_brands.user_id and favorite_brands.revenue_rank = 1

)

select * from buyer_orders
