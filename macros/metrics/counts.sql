{% macro count_where(condition) -%}
    {#- 0, not null, where nothing matches; DuckDB's sum of integers would be a 128-bit type. -#}
    cast(sum(case when {{ condition }} then 1 else 0 end) as bigint)
{%- endmacro %}

{% macro event_counts() -%}
    {{ count_where("event_type = 'view'") }} as views,
    {{ count_where("event_type = 'cart'") }} as carts,
    {{ count_where("event_type = 'remove_from_cart'") }} as cart_removals,
    {{ count_where("event_type = 'purchase'") }} as purchases,
    cast(sum(case when event_type = 'purchase' then price else 0 end) as decimal(18, 2)) as revenue
{%- endmacro %}

{% macro event_count_names() -%}
    {{ return(['views', 'carts', 'cart_removals', 'purchases', 'revenue']) }}
{%- endmacro %}

{% macro count_type(name) -%}
    {{ 'decimal(18, 2)' if name == 'revenue' else 'bigint' }}
{%- endmacro %}

{% macro sum_event_counts() -%}
    {%- for name in event_count_names() %}
    cast(sum({{ name }}) as {{ count_type(name) }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
