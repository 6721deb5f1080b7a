{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key='user_id',
    liquid_clustered_by=['user_id'],
    on_schema_change='fail',
) }}

with

sessions as (
    select * from {{ with_changed_keys(
        ref('sessions'), ['user_id'], changed_in=ref('sessions')
    ) }}
),

order_lines as (

    select
        *,
        split_part(category_code, '.', 1) as category_l1,
        split_part(category_code, '.', 2) as category_l2
    from {{ with_changed_keys(
        ref('order_lines'), ['user_id'], changed_in=ref('sessions')
    ) }}

),

brand_purchases as (

    -- The lines of an order have its time; which of them came first is not known.
    select
        order_lines.session_id,
        order_lines.user_id,
        order_lines.product_id,
        order_lines.category_code,
        order_lines.category_l1,
        order_lines.category_l2,
        order_lines.brand,
        lag(order_lines.brand) over (
            partition by order_lines.user_id, order_lines.category_l1, order_lines.category_l2
            order by
                sessions.first_purchase_at, order_lines.session_id, order_lines.product_id,
                order_lines.category_code, order_lines.brand
        ) as previous_brand,
        max(sessions._batch_id) over (partition by order_lines.user_id) as _batch_id
    from order_lines
    inner join sessions on order_lines.session_id = sessions.session_id
    where order_lines.category_l2 <> ''

)

select * from brand_purchases
