{{ config(materialized='view') }}

{#- Every table with a policy depends on this view; the policy functions must exist first. -#}
{%- do function('mask_user_id') -%}
{%- do function('mask_personal_text') -%}
{%- do function('sees_segment') -%}

with

raw_events as (
    select * from {{
        ref('events_raw') if var('declarative') else source('bronze_layer', 'events_raw')
    }}
),

normalized as (

    select
        event_time,
        {{ normalized_text('event_type') }} as event_type,
        product_id,
        category_id,
        {{ normalized_text('category_code') }} as category_code,
        {{ normalized_text('brand') }} as brand,
        -- NaN, infinite and too large prices become null and break `invalid_price`. Engines differ
        -- in how they round a double to cents, but agree on whole numbers.
        cast(try_cast(round(price * 100) as decimal(17, 0)) * 0.01 as decimal(18, 2)) as price,
        user_id,
        {{ normalized_text('user_session', lower_case=false) }} as user_session,
        event_type as raw_event_type,
        category_code as raw_category_code,
        brand as raw_brand,
        price as raw_price,
        user_session as raw_user_session,
        _rescued_data,
        _source_file,
        _ingested_at
    from raw_events

),

events_staged as (

    select
        *,
        {{ broken_event_rules() }} as rejection_reasons
    from normalized

)

select * from events_staged
