{{ config(
    materialized='incremental',
    incremental_strategy='append',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

with

events as (
    {{ new_events() }}
),

seen as (

    select
        product_id,
        user_id,
        event_type,
        max(_updated_at) as _updated_at
    from events
    where event_type in ('view', 'purchase')
    group by product_id, user_id, event_type

),

{% if is_incremental() %}
    known as (
        select kept.* from {{ this }} as kept
        where kept.user_id in (select seen.user_id from seen)
    ),
{% endif %}

product_users as (

    select * from seen
    {% if is_incremental() %}
        where not exists (
            select 1 from known
            where
                known.product_id = seen.product_id
                and known.user_id = seen.user_id
                and known.event_type = seen.event_type
        )
    {% endif %}

)

select * from product_users
