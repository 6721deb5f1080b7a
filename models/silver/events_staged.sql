{{ config(materialized='view') }}

{#- Every table with a policy depends on this view; the policy functions must exist first. -#}
{%- do function('mask_user_id') -%}
{%- do function('mask_personal_text') -%}
{%- do function('sees_segment') -%}

{%- set texts = ['event_type', 'category_code', 'brand', 'user_session'] -%}
{%- set blanks = "'" ~ var('blanks') ~ "'" -%}
{%- set capitals, small_letters = var('special_capitals'), var('special_small_letters') -%}
{#- Words between capitals, which lower case has none of: DuckDB would join a list, even for columns
    without words. What a backslash in a literal means depends on the engine. -#}
{%- set words = "('XX" ~ var('null_words') | join('X') | replace('\\', "'||chr(92)||'") ~ "X')" %}

with

raw_events as (
    select * from {{
        ref('events_raw') if var('declarative') else source('bronze_layer', 'events_raw')
    }}
),

trimmed as (

    -- A first and a last character are cheaper to look up than a text is to trim.
    select
        {% for text in texts %}
            case
                when
                    contains({{ blanks }}, substring({{ text }}, 1, 1))
                    or contains({{ blanks }}, substring({{ text }}, -1, 1))
                    then trim(both {{ blanks }} from {{ text }})
                else {{ text }}
            end as trimmed_{{ text }},
        {% endfor %}
        *
    from raw_events

),

lower_case as (

    -- The engines agree on the lower case of all other letters.
    select
        {% for text in texts %}
            lower(case
                when
                    bit_length(trimmed_{{ text }}) > 8 * length(trimmed_{{ text }})
                    and trimmed_{{ text }}
                    <> regexp_replace(trimmed_{{ text }}, '[{{ capitals }}]', '')
                    then translate(trimmed_{{ text }}, '{{ capitals }}', '{{ small_letters }}')
                else trimmed_{{ text }}
            end) as lower_{{ text }},
        {% endfor %}
        *
    from trimmed

),

named as (

    -- Few texts are a part of the words, and only those are compared with whole words.
    select
        {% for text in texts %}
            case
                when not contains({{ words }}, lower_{{ text }}) then lower_{{ text }}
                when not contains({{ words }}, 'X' || lower_{{ text }} || 'X') then lower_{{ text }}
            end as named_{{ text }},
        {% endfor %}
        *
    from lower_case

),

normalized as (

    select
        event_time,
        named_event_type as event_type,
        product_id,
        category_id,
        named_category_code as category_code,
        named_brand as brand,
        -- NaN, infinite and too large prices become null and break `invalid_price`. Engines differ
        -- in how they round a double to cents, but agree on whole numbers.
        cast(try_cast(round(price * 100) as decimal(17, 0)) * 0.01 as decimal(18, 2)) as price,
        user_id,
        case when named_user_session is not null then trimmed_user_session end as user_session,
        event_type as raw_event_type,
        category_code as raw_category_code,
        brand as raw_brand,
        price as raw_price,
        user_session as raw_user_session,
        _rescued_data,
        _source_file,
        _ingested_at
    from named

),

events_staged as (

    select
        *,
        {{ broken_event_rules() }} as rejection_reasons
    from normalized

)

select * from events_staged
