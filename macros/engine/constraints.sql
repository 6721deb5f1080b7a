{% macro duckdb__get_table_columns_and_constraints() -%}
    {#- A primary key informs Databricks' optimizer and costs nothing there; on DuckDB it would be
        an index over every row. The key's tests hold on both. -#}
    ({{ adapter.render_raw_columns_constraints(raw_columns=model['columns']) | join(', ') }})
{%- endmacro %}
