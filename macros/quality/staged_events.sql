{% macro staged_events(rows) -%}
{#- CTEs that end in `judged`: normalised columns, the event's key and the rules a row breaks. -#}
normalised as (

    select
        event_time,
        product_id,
        category_id,
        user_id,

        -- Text is compared in one spelling, and a blank is a missing value.
        nullif(lower({{ trim_blanks('event_type') }}), '') as event_type,
        nullif(lower({{ trim_blanks('category_code') }}), '') as category_code,
        nullif(lower({{ trim_blanks('brand') }}), '') as brand,
        nullif({{ trim_blanks('user_session') }}, '') as user_session,

        -- Not a number, infinite or too large: all become null and break `invalid_price`. Engines
        -- round a double to cents in different ways, but to a whole number in the same.
        cast(try_cast(round(price * 100) as decimal(17, 0)) * 0.01 as decimal(18, 2)) as price,

        event_type as raw_event_type,
        category_code as raw_category_code,
        brand as raw_brand,
        price as raw_price,
        user_session as raw_user_session,

        _rescued_data,
        _source_file,
        _ingested_at
    from {{ rows }}

),

judged as (

    select
        *,
        {{ event_key() }} as event_id,
        {{ broken_event_rules() }} as rejection_reasons
    from normalised

)
{%- endmacro %}

{% macro event_key() -%}
    {{ hash_key([
        'event_time', 'event_type', 'product_id', 'category_id', 'category_code', 'brand', 'price',
        'user_id', 'user_session',
    ]) }}
{%- endmacro %}

{% macro repeated_events(rows) -%}
    {#- Copies of an event have these three in common, so only rows that share them are compared:
        about one in a thousand, found without the keys and rules of all others. -#}
    select
        event_time,
        user_id,
        product_id
    from {{ rows }}
    group by event_time, user_id, product_id
    having count(*) > 1
{%- endmacro %}

{% macro possible_copies(rows, among) -%}
    select {{ rows }}.* from {{ rows }}
    where exists (
        select 1 from ({{ repeated_events(among) }}) as repeated
        where
            repeated.event_time = {{ rows }}.event_time
            and repeated.user_id = {{ rows }}.user_id
            and repeated.product_id = {{ rows }}.product_id
    )
{%- endmacro %}
