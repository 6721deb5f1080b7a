{#- A data test of a table that grows looks at what was loaded lately, and at keys in common with it:
    var check_hours. The rules of older rows held when these were new; a weekly check looks at all of
    them again. What must tie out is always read whole. -#}

{% macro get_where_subquery(relation) -%}
    {%- if config.get('where') or not looks_at_recent_rows()
        or model.test_metadata.name in ('unique', 'unique_key') -%}
        {{ return(default__get_where_subquery(relation)) }}
    {%- endif -%}
    {{ return(
        '(select * from ' ~ relation ~ ' where ' ~ is_recent(relation) ~ ') dbt_subquery'
    ) }}
{%- endmacro %}

{% macro looks_at_recent_rows() -%}
    {%- set tested = graph.nodes[model.attached_node] if execute and model.attached_node in graph.nodes
        else {'columns': {}} -%}
    {{ return(var('check_hours') is not none and '_ingested_at' in tested.columns) }}
{%- endmacro %}

{% macro is_recent(relation, alias=none) -%}
    {{ alias ~ '.' if alias }}_ingested_at > (
        select max(_ingested_at) - interval {{ (var('check_hours') * 3600) | int }} seconds
        from {{ relation }}
    )
{%- endmacro %}
