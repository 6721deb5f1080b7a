{% macro duckdb__get_delete_insert_merge_sql(
    target, source, unique_key, dest_columns, incremental_predicates
) -%}
    {#- As dbt-duckdb has it, but each key is asked for alone first: DuckDB skips rows by one key
        while it reads them, and joins every row of the table by several. -#}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
    delete from {{ target }} as DBT_INCREMENTAL_TARGET
    where
    {%- for key in keys %}
        DBT_INCREMENTAL_TARGET.{{ key }} in (select fresh.{{ key }} from {{ source }} as fresh)
        {{- ' and' if not loop.last }}
    {%- endfor %}
    {%- if keys | length > 1 %}
        and exists (
            select 1 from {{ source }} as fresh
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
