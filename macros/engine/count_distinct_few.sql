{% macro count_distinct_few(value) -%}
    {{ adapter.dispatch('count_distinct_few')(value) }}
{%- endmacro %}

{#- A group's values gathered in a list: `count(distinct)` makes a second table with a row for each
    group and value, which for the products of all sessions does not fit into memory. -#}

{% macro default__count_distinct_few(value) -%}
    cast(size(collect_set({{ value }})) as bigint)
{%- endmacro %}

{% macro duckdb__count_distinct_few(value) -%}
    len(list_distinct(list({{ value }})))
{%- endmacro %}
