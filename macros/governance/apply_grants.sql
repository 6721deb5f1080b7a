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
    {%- set by_tags, row_filter = var('policies') == 'attribute', config.get('row_filter') -%}
    {%- for column in model.columns.values() if column.get('column_mask') or by_tags -%}
        {%- call statement('mask ' ~ column.name) -%}
            {{ alter_drop_column_mask(relation, column.name) if by_tags
                else alter_set_column_mask(relation, column.name, column.column_mask) }}
        {%- endcall -%}
    {%- endfor -%}
    {%- if row_filter or by_tags -%}
        {%- call statement('row filter') -%}
            alter table {{ relation }}
            {% if by_tags -%}
            drop row filter
            {%- else -%}
            set row filter {{ row_filter.function }} on ({{ row_filter.columns | join(', ') }})
            {%- endif -%}
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{#- DuckDB has no users to grant to. -#}

{% macro duckdb__apply_grants(relation, grant_config, should_revoke=true) -%}
{%- endmacro %}
