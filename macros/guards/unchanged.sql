{#- A build with nothing new touches nothing. A build of every table that succeeds records what its
    rows follow from: all definitions, and bronze. A later one that finds the same keeps each table
    that it would have built. One that finds anything else drops the record before its first table,
    so that no death in between leaves a record of what is there no more. -#}

{% macro find_unchanged() -%}
    {{ return(adapter.dispatch('find_unchanged')()) }}
{%- endmacro %}

{#- On Databricks nothing says in one query that bronze is what it was: each build does all. -#}

{% macro default__find_unchanged() -%}
{%- endmacro %}

{% macro duckdb__find_unchanged() -%}
    {%- if execute -%}
        {#- The graph is what all nodes of a run share, and it outlives a run in one process. -#}
        {%- do graph.update({'is_unchanged': false}) -%}
        {%- set tables = tables_to_build() if flags.WHICH in ['build', 'run'] else [] -%}
        {%- set recorded = (recorded_definitions() or {}).get('every table', {}) if tables else {} -%}
        {%- if recorded.inputs -%}
            {%- set missing = [] -%}
            {%- for node in tables
                if adapter.get_relation(node.database, node.schema, node.alias) is none -%}
                {%- do missing.append(node) -%}
            {%- endfor -%}
            {%- if not missing and builds_all_rows() and not flags.FULL_REFRESH
                and recorded.inputs == inputs() -%}
                {%- do graph.update({'is_unchanged': true}) -%}
            {%- else -%}
                delete from {{ definitions_table() }} where definition = 'inputs'
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro record_inputs(results) -%}
    {%- if execute and flags.WHICH == 'build' and builds_all_rows() and not graph.is_unchanged -%}
        {%- set failed = results | map(attribute='status') | map('string')
            | reject('in', ['success', 'pass', 'warn', 'no-op']) | list -%}
        {%- set left = failed + tables_to_build(is_selected=false) -%}
        {%- set found = inputs() if results and not left -%}
        {%- if found -%}
            insert into {{ definitions_table() }}
            values ('every table', 'inputs', '{{ found }}', '{{ run_started_at.isoformat() }}')
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro builds_all_rows() -%}
    {{ return(not (flags.EMPTY or flags.SAMPLE or flags.DEFER)) }}
{%- endmacro %}

{% macro tables_to_build(is_selected=true) -%}
    {%- set found = [] -%}
    {%- for id, node in graph.nodes.items()
        if node.resource_type in ['model', 'snapshot'] and node.config.materialized != 'ephemeral'
        and (id in selected_resources) == is_selected -%}
        {%- do found.append(node) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro inputs() -%}
    {#- All that dbt's own graph and macros say, and every var: a comment counts as a change, which
        costs a build and no more. -#}
    {%- set stored, found = stored_inputs(), [dbt_version] -%}
    {%- if stored is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- for node in graph.nodes.values() if node.resource_type in ['model', 'snapshot'] -%}
        {%- do found.append(tojson(dict(node, created_at=none))) -%}
    {%- endfor -%}
    {%- for macro in context[project_name].values() | list + context['dbt'].values() | list -%}
        {%- do found.append(macro.macro.macro_sql) -%}
    {%- endfor -%}
    {%- for names in var('types').values() -%}
        {%- for name in names -%}
            {%- do found.append(name ~ json_of(var(name))) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(local_md5(found | sort | join('\n') ~ stored)) }}
{%- endmacro %}

{% macro stored_inputs() -%}
    {{ return(adapter.dispatch('stored_inputs')()) }}
{%- endmacro %}

{% macro default__stored_inputs() -%}
    {{ return(none) }}
{%- endmacro %}

{#- The ledger of the loader, and the number of rows of each table, by which changes by hand show. -#}

{% macro duckdb__stored_inputs() -%}
    {%- set bronze = graph.sources.values() | selectattr('source_name', 'equalto', 'bronze_layer')
        | first -%}
    {%- set counts = ['(select count(*) from ' ~ bronze.relation_name ~ ')'] -%}
    {%- for node in (tables_to_build() + tables_to_build(is_selected=false)) | sort(attribute='name')
        if node.config.materialized != 'view' -%}
        {%- set table = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- do counts.append('(select count(*) from ' ~ table ~ ')' if table else "'none'") -%}
    {%- endfor -%}
    {#- Without a ledger another loader filled bronze. The cache of relations has no bronze. -#}
    {%- set has_ledger = run_query(
        "select 1 from duckdb_tables() where schema_name = '" ~ bronze.schema
        ~ "' and table_name = 'loaded_files'"
    ).rows | length -%}
    {{ return(run_query(
        "select concat_ws(' ', version(), (select md5(string_agg(file::text, ';' order by path))"
        ~ ' from ' ~ bronze.schema ~ '.loaded_files as file), ' ~ counts | join(', ') ~ ')'
    ).rows[0].values()[0] if has_ledger else none) }}
{%- endmacro %}

{% macro unless_unchanged(materialize) -%}
    {{ return(keep() if graph.is_unchanged else materialize()) }}
{%- endmacro %}

{% macro keep() -%}
    {%- do store_raw_result('main', message='KEPT', code='KEPT', rows_affected=none) -%}
    {{ return({'relations': [this]}) }}
{%- endmacro %}

{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {{ return(unless_unchanged(dbt.materialization_incremental_duckdb)) }}
{%- endmaterialization %}

{% materialization view, adapter='duckdb' -%}
    {{ return(unless_unchanged(dbt.materialization_view_default)) }}
{%- endmaterialization %}

{% materialization snapshot, adapter='duckdb' -%}
    {{ return(unless_unchanged(dbt.materialization_snapshot_default)) }}
{%- endmaterialization %}
