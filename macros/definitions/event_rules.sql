{% macro event_rules() -%}
    {#- In the order in which they are reported; a condition is true where the rule is broken, and
        reads the normalized columns of events_staged. Only `duplicate` needs other rows: see
        events_quarantined. -#}
    {{ return([
        ('malformed_line', is_rescued('_line') ~ " and raw_event_type is null"),
        ('empty_row', "_rescued_data is null and event_time is null and raw_event_type is null
            and product_id is null and category_id is null and raw_category_code is null
            and raw_brand is null and raw_price is null and user_id is null
            and raw_user_session is null"),
        ('invalid_event_time', "event_time is null
            or event_time < cast('" ~ var('earliest_event_date') ~ "' as timestamp)
            or event_time > _ingested_at + interval 1 day"),
        ('unknown_event_type', "coalesce(event_type, '') not in ('"
            ~ var('event_types') | join("', '") ~ "')"),
        ('invalid_product_id', is_rescued('product_id')),
        ('missing_product_id', "coalesce(product_id, 0) <= 0 and not " ~ is_rescued('product_id')),
        ('invalid_category_id', is_rescued('category_id')),
        ('missing_category_id', "coalesce(category_id, 0) <= 0 and not "
            ~ is_rescued('category_id')),
        ('invalid_user_id', is_rescued('user_id')),
        ('missing_user_id', "coalesce(user_id, 0) <= 0 and not " ~ is_rescued('user_id')),
        ('missing_user_session', "user_session is null"),
        ('invalid_price', "price is null or raw_price < 0
            or price > " ~ var('highest_price')),
        ('zero_price_purchase', "price = 0 and event_type = 'purchase'"),
    ]) }}
{%- endmacro %}

{% macro is_rescued(name) -%}
    (get_json_object(_rescued_data, '$.{{ name }}') is not null)
{%- endmacro %}

{% macro broken_event_rules() -%}
    {#- Nothing more can be said of a line that cannot be split, or of a spreadsheet's empty row. -#}
    {%- set rules = event_rules() -%}
    case
        {%- for name, condition in rules[:2] %}
        when {{ condition }} then '{{ name }}'
        {%- endfor %}
        else concat_ws(','
        {%- for name, condition in rules[2:] %},
            case when {{ condition }} then '{{ name }}' end
        {%- endfor %})
    end
{%- endmacro %}
