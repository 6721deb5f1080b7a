{% macro prepare_engine() -%}
    {{ return(adapter.dispatch('prepare_engine')()) }}
{%- endmacro %}

{% macro default__prepare_engine() -%}
{%- endmacro %}

{#- DuckDB has no account groups: whoever tries a policy function sets the variable. -#}

{% macro duckdb__prepare_engine() -%}
    create macro if not exists is_account_group_member(group_name) as
        coalesce(list_contains(getvariable('account_groups'), group_name), false)
{%- endmacro %}

{#- What dbt-duckdb 1.11 does not have: a function resource becomes a DuckDB macro. -#}

{% macro duckdb__scalar_function_sql(target_relation) -%}
    {%- set arguments = model.arguments | map(attribute='name') | join(', ') -%}
    create or replace macro {{ target_relation.render() }}({{ arguments }}) as (
        cast(({{ model.compiled_code }}) as {{ model.returns.data_type }})
    )
{%- endmacro %}
