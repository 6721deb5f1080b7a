{% macro count_distinct_few(value) -%}
    {{ adapter.dispatch('count_distinct_few')(value) }}
{%- endmacro %}

{#- Collects the values of a group in a list: `count(distinct)` builds a second hash table with an
    entry per group and value, which for the products of all sessions does not fit in memory. -#}

{% macro default__count_distinct_few(value) -%}
    cast(size(collect_set({{ value }})) as bigint)
{%- endmacro %}

{% macro duckdb__count_distinct_few(value) -%}
    len(list_distinct(list({{ value }})))
{%- endmacro %}
