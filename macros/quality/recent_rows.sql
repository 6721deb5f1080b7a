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
    {{ return(var('check_hours') is not none and time_of_writing() is not none) }}
{%- endmacro %}

{% macro time_of_writing() -%}
    {#- A row of days up to the as-of date changes with it, and says nothing about when. -#}
    {%- set tested = graph.nodes[model.attached_node] if execute and model.attached_node in graph.nodes
        else {'columns': {}} -%}
    {%- if 'as_of_date' not in tested.columns -%}
        {{ return(['_batch_id', '_ingested_at'] | select('in', tested.columns) | first or none) }}
    {%- endif -%}
{%- endmacro %}

{% macro is_recent(relation, alias=none) -%}
    {%- set written_at = time_of_writing() -%}
    {{ alias ~ '.' if alias }}{{ written_at }} > (
        select max({{ written_at }}) - interval {{ (var('check_hours') * 3600) | int }} seconds
        from {{ relation }}
    )
{%- endmacro %}
