{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='product_id',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

{%- set states = ['category_id', 'category_code', 'brand', 'price'] %}

with

{% if is_incremental() %}
    new_days as (
        select * from {{ ref('product_days') }}
        where {{ newly_updated() }}
    ),

    current_versions as (
        select * from {{ this }}
        where is_current
    ),

    changed_products as (

        -- On most days a product shows what it showed before, and its history stands. A late day is
        -- compared with all of it: it can begin a period, or move where one began.
        select new_days.product_id
        from new_days
        left join current_versions on new_days.product_id = current_versions.product_id
        where
            current_versions.product_id is null
            or new_days.event_time < current_versions.valid_from
            {% for state in states %}
                or new_days.{{ state }} is distinct from current_versions.{{ state }}
            {% endfor %}

    ),
{% endif %}

product_days as (

    select * from {{ ref('product_days') }}
    {% if is_incremental() %}
        where product_id in (select changed_products.product_id from changed_products)
    {% endif %}

),

compared as (

    select
        *,
        {{ previous_states(states, 'product_id') }},
        max(_updated_at) over (partition by product_id) as newest_updated_at
    from product_days

),

changes as (
    select * from compared
    where {{ is_new_state(states) }}
),

product_history as (

    select
        product_id,
        cast(
            row_number() over (partition by product_id order by event_time) as bigint
        ) as version_number,
        event_time as valid_from,
        lead(event_time) over (partition by product_id order by event_time) as valid_to,
        lead(event_time) over (partition by product_id order by event_time) is null as is_current,
        category_id,
        category_code,
        brand,
        price,
        previous_price,
        newest_updated_at as _updated_at
    from changes

)

select * from product_history
