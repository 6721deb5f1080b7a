{#- dbt's own puts a view in the place of each table, here one of itself: DuckDB clones no tables. -#}

{% materialization clone, adapter='duckdb' -%}
    {{ exceptions.raise_compiler_error(
        'dbt clone: DuckDB has no clones of tables; copy the database file instead'
    ) }}
{%- endmaterialization %}
