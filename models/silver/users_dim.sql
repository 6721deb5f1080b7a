{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='user_id',
    on_schema_change='fail',
) }}

{%- set rules = fingerprint(segment_rules()) %}

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
        {{ days_between('cast(last_seen_at as date)', 'as_of_date') }} as days_since_last_activity,
        {{ days_between('cast(first_order_at as date)', 'as_of_date') }} as days_since_first_order,
        {{ days_between('cast(last_purchase_at as date)', 'as_of_date') }}
            as days_since_last_purchase
    from dated

),

users_dim as (

    select
        user_id,
        {{ user_segment() }} as user_segment,
        first_seen_at,
        last_seen_at,
        first_order_at,
        last_purchase_at,
        first_order_session_id,
        sessions,
        purchases,
        orders,
        revenue,
        days_since_last_activity,
        days_since_last_purchase,
        as_of_date,
        '{{ rules }}' as _rules,
        _updated_at
    from measured
    where {{ is_due(rules) }}

)

select * from users_dim
