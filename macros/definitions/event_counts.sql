{% macro event_count_names() -%}
    {{ return({
        'view': 'views', 'cart': 'carts', 'remove_from_cart': 'cart_removals',
        'purchase': 'purchases',
    }) }}
{%- endmacro %}

{% macro rule_of_event_counts() -%}
    {#- The sum of the counts, as yml files write it, and what holds in its place: all events are at
        least so many where var `event_types` has types without a count. -#}
    {%- set names = event_count_names().values() | list -%}
    {%- set is_all = var('event_types') | length == names | length -%}
    {{ return(['events = ' ~ names | join(' + '),
               'events ' ~ ('=' if is_all else '>=') ~ ' ' ~ names | join(' + ')]) }}
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
