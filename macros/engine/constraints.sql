{% macro duckdb__get_table_columns_and_constraints() -%}
    {#- On Databricks a primary key is free and informs the optimizer; on DuckDB it would be an
        index over every row. The tests of the key run on both. -#}
    ({{ adapter.render_raw_columns_constraints(raw_columns=model['columns']) | join(', ') }})
{%- endmacro %}
