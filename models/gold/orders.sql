{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key='user_id',
    liquid_clustered_by=['order_date'],
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

order_totals as (

    select
        session_id,
        count(distinct product_id) as products
    from order_lines
    group by session_id

),

category_ranks as (

    select
        session_id,
        category_code,
        row_number() over (
            partition by session_id order by sum(revenue) desc, category_code
        ) as category_rank
    from order_lines
    group by session_id, category_code

),

brand_ranks as (

    select
        session_id,
        brand,
        row_number() over (
            partition by session_id order by sum(revenue) desc, brand
        ) as brand_rank
    from order_lines
    group by session_id, brand

),

numbered as (

    -- Of two orders with the same time the one with the lower session id is the first.
    select
        *,
        cast(first_purchase_at as date) as order_date,
        cast(
            row_number() over (partition by user_id order by first_purchase_at, session_id)
            as bigint
        ) as order_number,
        lag(cast(first_purchase_at as date)) over (
            partition by user_id order by first_purchase_at, session_id
        ) as previous_order_date,
        max(_batch_id) over (partition by user_id) as newest_batch_id
    from order_sessions

),

orders as (

    select
        numbered.session_id,
        numbered.user_id,
        numbered.order_date,
        numbered.first_purchase_at as ordered_at,
        numbered.order_number,
        numbered.order_number = 1 as is_first_order,
        cast(
            unix_date(numbered.order_date) - unix_date(numbered.previous_order_date) as int
        ) as days_since_previous_order,
        numbered.purchases as units,
        order_totals.products,
        numbered.revenue,
        category_ranks.category_code as main_category,
        brand_ranks.brand as main_brand,
        numbered.newest_batch_id as _batch_id
    from numbered
    inner join order_totals on numbered.session_id = order_totals.session_id
    inner join category_ranks
        on numbered.session_id = category_ranks.session_id and category_ranks.category_rank = 1
    inner join brand_ranks
        on numbered.session_id = brand_ranks.session_id and brand_ranks.brand_rank = 1

)

select * from orders
