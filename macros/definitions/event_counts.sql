{% macro event_count_names() -%}
    {{ return({
        'view': 'views', 'cart': 'carts', 'remove_from_cart': 'cart_removals',
        'purchase': 'purchases',
    }) }}
{%- endmacro %}

{% macro event_counts(sign=none) -%}
    {#- `sign` is the column of a change feed whose -1 subtracts an event. A group's count takes
        half the memory of a sum. -#}
    {%- for event_type, name in event_count_names().items() %}
    {%- set counted = "case when event_type = '" ~ event_type ~ "' then " ~ (sign or 1) %}
    {{ 'cast(sum(' ~ counted ~ ' else 0 end) as bigint)' if sign
        else 'count(' ~ counted ~ ' end)' }} as {{ name }},
    {%- endfor %}
    cast(
        sum(case when event_type = 'purchase' then {{ sign or 1 }} * price else 0 end)
        as decimal(18, 2)
    ) as revenue
{%- endmacro %}
