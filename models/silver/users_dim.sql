{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='user_id',
    on_schema_change='fail',
) }}

with

user_activity as (
    select * from {{ ref('user_activity') }}
),

dated as (

    select
        *,
        {{ as_of_date() }} as as_of_date
    from user_activity

),

measured as (

    select
        *,
        {{ days_between('cast(first_order_at as date)', 'as_of_date') }} as days_since_first_order,
        {{ days_between('cast(last_purchase_at as date)', 'as_of_date') }}
            as days_since_last_purchase
    from dated

),

segmented as (

    select
        *,
        {{ user_segment() }} as user_segment
    from measured

),

{% if is_incremental() %}
    kept_buyers as (
        select * from {{ this }}
        where user_segment <> 'prospect'
    ),
{% endif %}

users_dim as (

    select
        segmented.user_id,
        segmented.user_segment,
        segmented.first_seen_at,
        segmented.last_seen_at,
        segmented.first_order_at,
        segmented.last_purchase_at,
        segmented.first_order_session_id,
        segmented.sessions,
        segmented.purchases,
        segmented.orders,
        segmented.revenue,
        segmented._updated_at
    from segmented
    {% if is_incremental() %}
        -- Buyers change their segment as time goes by, and when a threshold changes.
        left join kept_buyers on segmented.user_id = kept_buyers.user_id
        where
            {{ newly_updated('segmented') }}
            or (
                segmented.orders > 0
                and segmented.user_segment is distinct from kept_buyers.user_segment
            )
    {% endif %}

)

select * from users_dim
