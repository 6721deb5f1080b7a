{% macro event_count_names() -%}
    {{ return({
        'view': 'views', 'cart': 'carts', 'remove_from_cart': 'cart_removals',
        'purchase': 'purchases',
    }) }}
{%- endmacro %}

{% macro event_counts(sign=1) -%}
    {#- `sign` is 1, or the column of a change feed whose -1 subtracts an event. -#}
    {%- for event_type, name in event_count_names().items() %}
    cast(sum(case when event_type = '{{ event_type }}' then {{ sign }} else 0 end) as bigint)
        as {{ name }},
    {%- endfor %}
    cast(
        sum(case when event_type = 'purchase' then {{ sign }} * price else 0 end) as decimal(18, 2)
    ) as revenue
{%- endmacro %}
