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
    {#- What the run found and keeps has its grants compared with all others, by repair_grants. -#}
    {%- set is_kept = should_revoke and not should_full_refresh()
        and load_relation(relation) is not none -%}
    {%- if var('policies') != 'none' and not is_kept -%}
        {%- do default__apply_grants(relation, grant_config, should_revoke=false) -%}
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

{#- One query for all tables that a run kept, in place of one for each. A grant that is refused, to a
    group that does not exist, would hide what else failed: such a run repairs none. -#}

{% macro repair_grants(results) -%}
    {{ return(adapter.dispatch('repair_grants')(results)) }}
{%- endmacro %}

{% macro default__repair_grants(results) -%}
    {%- set nodes = [] -%}
    {%- for result in results
        if execute and var('policies') != 'none' and not has_failed(results) -%}
        {%- set grants = result.node.config.get('grants') -%}
        {%- do nodes.append(result.node) if grants and result.status == 'success' -%}
    {%- endfor -%}
    {%- if nodes -%}
        {%- set held = {} -%}
        {%- for row in run_query(
            "select table_schema, table_name, lower(privilege_type) as privilege, grantee"
            ~ " from `" ~ target.database ~ "`.information_schema.table_privileges"
            ~ " where inherited_from = 'NONE' and table_schema in ('"
            ~ nodes | map(attribute='schema') | unique | join("', '") ~ "')"
        ).rows -%}
            {%- set granted = held.setdefault(row[0] ~ '.' ~ row[1], {}) -%}
            {%- do granted.setdefault(row[2], []).append(row[3]) -%}
        {%- endfor -%}
        {%- for node in nodes -%}
            {%- set relation = api.Relation.create(node.database, node.schema, node.alias) -%}
            {%- set granted = held.get(node.schema ~ '.' ~ node.alias, {}) -%}
            {%- set grants = node.config.get('grants') -%}
            {%- do call_dcl_statements(
                get_dcl_statement_list(
                    relation, diff_of_two_dicts(granted, grants), get_revoke_sql
                ) + get_dcl_statement_list(
                    relation, diff_of_two_dicts(grants, granted), get_grant_sql
                )
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- DuckDB has no users to grant to. -#}

{% macro duckdb__repair_grants(results) -%}
{%- endmacro %}

{% macro duckdb__apply_grants(relation, grant_config, should_revoke=true) -%}
{%- endmacro %}
