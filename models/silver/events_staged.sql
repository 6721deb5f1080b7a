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

trimmed_events as (

    select
        {% for text in ['event_type', 'category_code', 'brand', 'user_session'] %}
            {{ trimmed(text) }} as trimmed_{{ text }},
        {% endfor %}
        *
    from raw_events

),

lower_case_events as (

    select
        {{ lower_case('trimmed_event_type') }} as lower_event_type,
        {{ lower_case('trimmed_category_code') }} as lower_category_code,
        {{ lower_case('trimmed_brand') }} as lower_brand,
        *
    from trimmed_events

),

normalized_events as (

    select
        event_time,
        {{ null_if_word('lower_event_type') }} as event_type,
        product_id,
        category_id,
        {{ null_if_word('lower_category_code') }} as category_code,
        {{ null_if_word('lower_brand') }} as brand,
        -- NaN, infinite and too large prices become null and break `invalid_price`. Engines differ
        -- in how they round a double to cents, but agree on whole numbers.
        cast(try_cast(round(price * 100) as decimal(17, 0)) * 0.01 as decimal(18, 2)) as price,
        user_id,
        {{
            null_if_word('trimmed_user_session', lower_case('trimmed_user_session'))
        }} as user_session,
        event_type as raw_event_type,
        category_code as raw_category_code,
        brand as raw_brand,
        price as raw_price,
        user_session as raw_user_session,
        _rescued_data,
        _source_file,
        _ingested_at
    from lower_case_events

),

events_staged as (

    select
        *,
        {{ broken_event_rules() }} as rejection_reasons
    from normalized_events

)

select * from events_staged
