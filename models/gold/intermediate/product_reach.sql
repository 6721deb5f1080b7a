{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='product_id',
    on_schema_change='fail',
) }}

with

product_users as (
    select * from {{ ref('product_users') }}
    where {{ newly_updated() }}
),

counted as (

    select
        product_id,
        {{ count_where("event_type = 'view'") }} as viewers,
        {{ count_where("event_type = 'purchase'") }} as buyers,
        max(_updated_at) as _updated_at
    from product_users
    group by product_id

),

product_reach as (
    {{ add_to_kept_counts('counted', ['product_id'], ['viewers', 'buyers']) }}
)

select * from product_reach
