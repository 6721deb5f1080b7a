{% macro event_rules() -%}
    {#- In the order in which they are reported; a condition is true where the rule is broken, and
        reads the normalized columns of events_staged. Only `duplicate` needs other rows: see
        events_quarantined. -#}
    {{ return([
        ('malformed_line', "_rescued_data is not null"),
        ('invalid_event_time', "event_time is null
            or event_time < cast('" ~ var('earliest_event_date') ~ "' as timestamp)
            or event_time > _ingested_at + interval 1 day"),
        ('unknown_event_type', "event_type is null
            or event_type not in ('" ~ var('event_types') | join("', '") ~ "')"),
        ('missing_product_id', "coalesce(product_id, 0) <= 0"),
        ('missing_category_id', "coalesce(category_id, 0) <= 0"),
        ('missing_user_id', "coalesce(user_id, 0) <= 0"),
        ('missing_user_session', "user_session is null"),
        ('invalid_price', "price is null or raw_price < 0
            or price > " ~ var('highest_price')),
        ('zero_price_purchase', "event_type = 'purchase' and price = 0"),
    ]) }}
{%- endmacro %}

{% macro broken_event_rules() -%}
    concat_ws(','
    {%- for name, condition in event_rules() %},
        case when {{ condition }} then '{{ name }}' end
    {%- endfor %})
{%- endmacro %}
