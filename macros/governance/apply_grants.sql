{% macro databricks__apply_grants(relation, grant_config, should_revoke=true) -%}
    {#- dbt-databricks 1.12.7 masks and filters tables and incremental models as it creates them,
        but not snapshots. A snapshot gets both here, before its grants, and again on every run,
        which restores a policy that was dropped. -#}
    {%- if model.resource_type == 'snapshot' -%}
        {%- do protect_snapshot(relation) -%}
    {%- endif -%}
    {%- if var('policies') -%}
        {%- do default__apply_grants(relation, grant_config, should_revoke) -%}
    {%- endif -%}
{%- endmacro %}

{% macro protect_snapshot(relation) -%}
    {%- for column in model.columns.values() if column.get('column_mask') -%}
        {%- call statement('mask ' ~ column.name) -%}
            {{ alter_set_column_mask(relation, column.name, column.column_mask) }}
        {%- endcall -%}
    {%- endfor -%}
    {%- set row_filter = config.get('row_filter') -%}
    {%- if row_filter -%}
        {%- call statement('row filter') -%}
            alter table {{ relation }}
            set row filter {{ row_filter.function }} on ({{ row_filter.columns | join(', ') }})
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{#- DuckDB has no users to grant to. -#}

{% macro duckdb__apply_grants(relation, grant_config, should_revoke=true) -%}
{%- endmacro %}
