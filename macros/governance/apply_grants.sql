{% macro databricks__apply_grants(relation, grant_config, should_revoke=true) -%}
    {#- dbt-databricks 1.12.7 masks and filters tables and incremental models as it creates them,
        but not snapshots. A snapshot gets both here, before its grants, and again on every run,
        which restores a policy that was dropped. Functions are built before any table, so that
        policies by tags are there before anything is granted. -#}
    {%- if model.resource_type == 'snapshot' -%}
        {%- do protect_snapshot(relation) -%}
    {%- elif model.resource_type == 'function' and var('policies') == 'attribute' -%}
        {%- do create_policies(relation) -%}
    {%- endif -%}
    {%- if var('policies') != 'none' -%}
        {%- do default__apply_grants(relation, grant_config, should_revoke) -%}
    {%- endif -%}
{%- endmacro %}

{% macro protect_snapshot(relation) -%}
    {#- Where a policy by tags masks the column, its own mask is an empty mapping. -#}
    {%- for column in model.columns.values() if column.get('column_mask') is mapping -%}
        {%- call statement('mask ' ~ column.name) -%}
            {{ alter_set_column_mask(relation, column.name, column.column_mask)
                if column.column_mask else alter_drop_column_mask(relation, column.name) }}
        {%- endcall -%}
    {%- endfor -%}
    {%- set row_filter = config.get('row_filter') -%}
    {%- if row_filter or var('policies') == 'attribute' -%}
        {%- call statement('row filter') -%}
            alter table {{ relation }}
            {% if row_filter -%}
            set row filter {{ row_filter.function }} on ({{ row_filter.columns | join(', ') }})
            {%- else -%}
            drop row filter
            {%- endif -%}
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{#- DuckDB has no users to grant to. -#}

{% macro duckdb__apply_grants(relation, grant_config, should_revoke=true) -%}
{%- endmacro %}
