{#- What each run did, in two tables that no model builds, so that a full refresh keeps them and a
    run pays for one insert and one delete each. models/history/ declares them, and dbt's graph gives
    their columns and grants. -#}

{% macro history_tables() -%}
    {%- set tables = {} -%}
    {#- The graph has no nodes at parse time. -#}
    {%- for node in (graph.sources.values() if execute else [])
        if node.source_name == 'history' -%}
        {%- do tables.update({node.name: {'node': node, 'relation': api.Relation.create(
            database=node.database, schema=node.schema, identifier=node.identifier, type='table'
        )}}) -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro %}

{% macro prepare_history() -%}
    {#- A preview of some marts has no schema for the tables, and writes no history. -#}
    {%- set schemas = graph.nodes.values() | selectattr('unique_id', 'in', selected_resources)
        | map(attribute='schema') | list if execute and flags.WHICH in ['build', 'run'] else [] -%}
    {%- for name, table in history_tables().items() if table.node.schema in schemas -%}
        {%- if load_relation(table.relation) is none -%}
            {%- set columns = [] -%}
            {%- for column in table.node.columns.values() -%}
                {%- do columns.append(column.name ~ ' ' ~ column.data_type) -%}
            {%- endfor -%}
            {%- do run_query('create table ' ~ table.relation ~ ' (' ~ columns | join(', ')
                ~ ')') -%}
            {%- do adapter.cache_added(table.relation) -%}
            {%- do apply_grants(
                table.relation, table.node.config.meta.grants, should_revoke=false
            ) -%}
        {%- else -%}
            {%- set oldest = run_started_at
                - modules.datetime.timedelta(days=var('history_days')) -%}
            {%- do run_query('delete from ' ~ table.relation ~ ' where started_at < timestamp '
                ~ oldest.strftime("'%Y-%m-%d %H:%M:%S'")) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{#- Both return their statement instead of running it, so that one that fails, on a full disk for
    example, is a failed hook and hides no failed model. -#}

{% macro record_nodes(results) -%}
    {%- set rows, ends = [], [run_started_at.replace(tzinfo=none)] -%}
    {%- set is_counted = counts_rows_for_free() -%}
    {%- for result in results -%}
        {%- set node, status = result.node, result.status | string -%}
        {%- for step in result.timing if step.completed_at -%}
            {%- do ends.append(step.completed_at.replace(tzinfo=none)) -%}
        {%- endfor -%}
        {%- if node.resource_type in ['model', 'snapshot', 'seed', 'function'] -%}
            {%- set is_table = node.relation_name and status == 'success'
                and node.config.materialized in ['table', 'incremental', 'snapshot', 'seed'] -%}
            {%- do rows.append("'%s', '%s', '%s', %.3f, %s, %s" | format(
                node.name, node.resource_type, status, result.execution_time,
                '(select count(*) from ' ~ node.relation_name ~ ')'
                if is_counted and is_table else 'null',
                'null' if status == 'success' else message_literal(result.message),
            )) -%}
        {%- elif node.name == 'assert_few_new_rows_are_rejected' -%}
            {%- do rows.append(gate_decision({'pass': 'open', 'fail': 'shut'}.get(status, status),
                'more than ' ~ gate_max_share() ~ ' of the new rows are rejected'
                if status == 'fail')) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if rows or results | selectattr('node.resource_type', 'equalto', 'test') | list -%}
        {%- do rows.append("'dbt %s%s', 'run', '%s', %.3f, null, null" | format(
            flags.WHICH, ' --full-refresh' if flags.FULL_REFRESH else '',
            'error' if has_failed(results) else 'success', (ends | max - ends[0]).total_seconds(),
        )) -%}
    {%- endif -%}
    {{ insert_history('run_history', rows) }}
{%- endmacro %}

{% macro has_failed(results) -%}
    {{ return(results | map(attribute='status') | map('string')
        | select('in', ['error', 'fail', 'runtime error']) | list | length > 0) }}
{%- endmacro %}

{% macro record_tests(results) -%}
    {%- set rows = [] -%}
    {%- for result in results if result.node.resource_type == 'test' -%}
        {%- set node, tables = result.node, [] -%}
        {%- for name in ([node.attached_node] if node.attached_node
            else node.depends_on.nodes) -%}
            {%- do tables.append(name.split('.')[-1]) -%}
        {%- endfor -%}
        {%- do rows.append("'%s', '%s', '%s', %s, '%s', %.3f" | format(
            node.name, tables | join(', '), result.status,
            'null' if result.failures is none else result.failures,
            node.config.severity | lower, result.execution_time,
        )) -%}
    {%- endfor -%}
    {{ insert_history('test_history', rows) }}
{%- endmacro %}

{% macro insert_history(name, rows) -%}
    {%- set table = history_tables()[name].relation if execute -%}
    {%- if rows and load_relation(table) is not none -%}
        {%- set run = "('%s', %s, '%s', " | format(
            invocation_id, run_started_at.strftime("timestamp '%Y-%m-%d %H:%M:%S.%f'"),
            environment(),
        ) -%}
        insert into {{ table }} values {{ run }}{{ rows | join('), ' ~ run) }})
    {%- endif -%}
{%- endmacro %}

{% macro gate_decision(decision, message=none) -%}
    {{ return("'quality_gate', 'gate', '%s', null, null, %s"
        | format(decision, message_literal(message))) }}
{%- endmacro %}

{% macro message_literal(message) -%}
    {#- Messages quote SQL: what would end a literal on one engine or the other is replaced. -#}
    {%- set text = (message or '') | string | replace("'", '"') | replace('\\', '/') -%}
    {{ return("'" ~ text.split() | join(' ') | truncate(500, true) ~ "'" if message else 'null') }}
{%- endmacro %}

{#- Databricks would have to be asked once more for each table, and its adapter reports no rows. -#}

{% macro counts_rows_for_free() -%}
    {{ return(adapter.dispatch('counts_rows_for_free')()) }}
{%- endmacro %}

{% macro default__counts_rows_for_free() -%}
    {{ return(false) }}
{%- endmacro %}

{% macro duckdb__counts_rows_for_free() -%}
    {{ return(true) }}
{%- endmacro %}

{#- dbt ends an operation on DuckDB by a rollback. -#}

{% macro keep_in_operation(statement) -%}
    {{ return(adapter.dispatch('keep_in_operation')(statement)) }}
{%- endmacro %}

{% macro default__keep_in_operation(statement) -%}
    {%- do run_query(statement) -%}
{%- endmacro %}

{% macro duckdb__keep_in_operation(statement) -%}
    {%- do run_query(statement ~ '; commit; begin') -%}
{%- endmacro %}
