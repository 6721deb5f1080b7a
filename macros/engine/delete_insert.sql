{% macro duckdb__get_delete_insert_merge_sql(
    target, source, unique_key, dest_columns, incremental_predicates
) -%}
    {#- As dbt-duckdb has it, but each key is asked for alone first: DuckDB skips rows by one key
        while it reads them, and joins every row of the table by several. `replacing_rows` of a model
        says which of its rows can have older ones to replace: the fewer keys, the less is read. -#}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
    {%- set rows = config.meta_get('replacing_rows') -%}
    {%- set fresh = '(select * from ' ~ source ~ ' where ' ~ rows ~ ')' if rows else source %}
    delete from {{ target }} as DBT_INCREMENTAL_TARGET
    where
    {%- for key in keys %}
        DBT_INCREMENTAL_TARGET.{{ key }} in (select fresh.{{ key }} from {{ fresh }} as fresh)
        {{- ' and' if not loop.last }}
    {%- endfor %}
    {%- if keys | length > 1 %}
        and exists (
            select 1 from {{ fresh }} as fresh
            where
            {%- for key in keys %}
                DBT_INCREMENTAL_TARGET.{{ key }} = fresh.{{ key }}{{ ' and' if not loop.last }}
            {%- endfor %}
        )
    {%- endif %}
    {%- for predicate in incremental_predicates or [] %}
        and {{ predicate }}
    {%- endfor %};
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ source }}
{%- endmacro %}
