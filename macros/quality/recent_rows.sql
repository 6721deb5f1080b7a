{#- With var check_hours, a data test of a growing table reads the rows loaded lately, and the keys
    that they share with older ones. Older rows passed when they were new; a weekly check reads all
    of them again. Tests that tie out totals always read whole tables. -#}

{% macro get_where_subquery(relation) -%}
    {%- if config.get('where') or not looks_at_recent_rows()
        or model.test_metadata.name in ('unique', 'unique_key') -%}
        {{ return(default__get_where_subquery(relation)) }}
    {%- endif -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ is_recent() ~ ') dbt_subquery') }}
{%- endmacro %}

{% macro looks_at_recent_rows() -%}
    {#- A row that depends on the as-of date changes with it, whatever its batch. -#}
    {%- set columns = graph.nodes[model.attached_node].columns
        if execute and model.attached_node in graph.nodes else {} -%}
    {{ return(
        var('check_hours') is not none and '_batch_id' in columns and 'as_of_date' not in columns
    ) }}
{%- endmacro %}

{% macro is_recent(alias=none) -%}
    {#- Not a ref, which would make every test depend on source_files. -#}
    {%- set source_files = definitions_table().incorporate(path={'identifier': 'source_files'}) -%}
    {{ alias ~ '.' if alias }}_batch_id > (
        select coalesce(max(older._batch_id), 0) from {{ source_files }} as older
        where older._ingested_at < (
            select max(newest._ingested_at) - interval {{ var('check_hours') * 3600 }} seconds
            from {{ source_files }} as newest
        )
    )
{%- endmacro %}
