{#- A sixteenth of the database was rows that nothing reads once their build has ended. Their blocks
    serve the next tables. On Databricks a statement more would cost more than the rows. -#}

{% macro empty_prepared(relation) -%}
    {{ return(adapter.dispatch('empty_prepared')(relation)) }}
{%- endmacro %}

{% macro default__empty_prepared(relation) -%}
{%- endmacro %}

{% macro duckdb__empty_prepared(relation) -%}
    {#- As it is called by its name: `--empty` makes a query of a ref. -#}
    delete from {{ relation.render() }}
{%- endmacro %}
