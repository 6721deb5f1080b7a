{#- Some definitions cannot be applied to rows that are stored already. Each incremental table
    records those that it was built with, and a build that would mix two stops before its first
    model. A full refresh marks its tables while it runs, so that one that died does not count as
    complete. -#}

{% macro definitions(node) -%}
    {#- `tables_of_version` is the project's version that last changed a stored column. -#}
    {%- set found = {
        'tables_of_version': '0.2.0',
        'session_gap_minutes': var('session_gap_minutes') | string,
        'earliest_event_date': var('earliest_event_date') | string,
        'highest_price': var('highest_price') | string,
        'event_types': var('event_types') | join(' '),
        'product_states': var('product_states') | join(' '),
    } -%}
    {%- for name, sql in {
        'event_rules': broken_event_rules(),
        'event_normalization': normalized_text('a') ~ normalized_text('a', false)
            ~ normalized_price('a') ~ graph.nodes['model.ecommerce_analytics.events_staged'].raw_code,
        'event_keys': event_key(),
        'sessionization': session_starts(['a']) ~ join_session_starts('a') ~ session_id('a'),
        'event_counts': event_counts() ~ category_levels('a'),
        'funnel_steps': shopping_steps('a', ['b']) ~ funnel_columns('a') ~ root_category()
            ~ tojson(funnel_conditions()),
        'sql': node.raw_code,
    }.items() -%}
        {%- set code = modules.re.sub('(?s)\{#.*?#\}|--[^\n]*', '', sql) -%}
        {%- do found.update({name: local_md5(code.split() | join(' '))}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro definitions_table() -%}
    {{ return(api.Relation.create(
        database=target.database, schema=generate_schema_name('silver_layer', none),
        identifier='model_definitions', type='table'
    )) }}
{%- endmacro %}

{% macro incremental_models() -%}
    {{ return(
        graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'incremental')
        | rejectattr('config.incremental_strategy', 'equalto', 'full_replace')
        | sort(attribute='name') | list
    ) }}
{%- endmacro %}

{% macro check_definitions() -%}
    {%- do check_variables() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- set stored, rebuilt, first_built = [], [], [] -%}
        {%- for node in incremental_models() -%}
            {%- set is_selected = node.unique_id in selected_resources -%}
            {%- set exists = adapter.get_relation(node.database, node.schema, node.alias) is not none -%}
            {%- do stored.append(node) if exists and not (is_selected and flags.FULL_REFRESH) -%}
            {%- do rebuilt.append(node) if exists and is_selected and flags.FULL_REFRESH -%}
            {%- do first_built.append(node) if not exists and is_selected -%}
        {%- endfor -%}
        {%- set faults = definition_faults(stored) -%}
        {%- for node in stored if 'events_cleaned' in rebuilt | map(attribute='name')
            and node.name not in ['source_files', 'events_replaced'] -%}
            {%- do faults.setdefault('events_cleaned is rebuilt without it: select events_cleaned+', []).append(node.name) -%}
        {%- endfor -%}
        {%- if faults -%}
            {%- set lines = [] -%}
            {%- for fault, names in faults.items() -%}
                {%- set tables = 'every table' if names | length == stored | length else names | join(', ') -%}
                {%- do lines.append('- ' ~ fault ~ ' (' ~ tables ~ ')') -%}
            {%- endfor -%}
            {{ exceptions.raise_compiler_error(
                'tables were built with other definitions, and this build would mix both:\n'
                ~ lines | join('\n') ~ '\nNothing was changed. Take the old definitions back, or '
                ~ 'rebuild every table: make run FULL=1, or dbt build --full-refresh'
            ) }}
        {%- endif -%}
        {%- do record_definitions(first_built, 'built') -%}
        {%- do record_definitions(rebuilt, 'rebuilding') -%}
    {%- endif -%}
{%- endmacro %}

{% macro definitions_are_readable() -%}
    {%- set table = definitions_table() -%}
    {%- set stored = adapter.get_relation(table.database, table.schema, table.identifier) -%}
    {{ return(
        stored is not none and adapter.get_columns_in_relation(stored) | map(attribute='name') | list
        == ['model', 'definition', 'value', 'recorded_at']
    ) }}
{%- endmacro %}

{% macro definition_faults(stored) -%}
    {%- set table, recorded, faults = definitions_table(), {}, {} -%}
    {%- if stored and not definitions_are_readable() -%}
        {{ return({'built by a version of this project before 0.2.0, or ' ~ table ~ ' cannot be read': stored | map(attribute='name') | list}) }}
    {%- elif stored -%}
        {%- set newest = run_query(
            'select model, definition, max_by(value, recorded_at) from ' ~ table
            ~ ' group by model, definition'
        ) -%}
        {%- for model, definition, value in newest.rows -%}
            {%- do recorded.setdefault(model, {}).update({definition: value}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for node in stored -%}
        {%- set before = recorded.get(node.name, {}) -%}
        {%- set changed = [] -%}
        {%- if not before -%}
            {%- do changed.append('its definitions are not known') -%}
        {%- elif before.status != 'built' -%}
            {%- do changed.append('a full refresh of it did not end') -%}
        {%- else -%}
            {%- for name, value in definitions(node).items() if before.get(name) != value -%}
                {%- do changed.append(
                    name ~ (' changed' if value | length == 32 else
                    ': ' ~ before.get(name, 'unknown') ~ ' before, ' ~ value ~ ' now')
                ) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- for fault in changed -%}
            {%- do faults.setdefault(fault, []).append(node.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(faults) }}
{%- endmacro %}

{% macro record_definitions(nodes, status) -%}
    {%- if nodes -%}
        {%- set table, rows = definitions_table(), [] -%}
        {%- set now = modules.datetime.datetime.now(modules.pytz.utc).strftime('%Y-%m-%d %H:%M:%S.%f') -%}
        {%- for node in nodes -%}
            {%- for name, value in dict(definitions(node), status=status).items() -%}
                {%- do rows.append("('" ~ [node.name, name, value, now] | join("', '") ~ "')") -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- do adapter.create_schema(table) -%}
        {%- if not definitions_are_readable() -%}
            {%- do run_query('drop table if exists ' ~ table) -%}
        {%- endif -%}
        {%- do run_query(
            'create table if not exists ' ~ table
            ~ ' (model string, definition string, value string, recorded_at string)'
        ) -%}
        {%- do run_query('insert into ' ~ table ~ ' values ' ~ rows | join(', ')) -%}
    {%- endif -%}
{%- endmacro %}

{% macro confirm_definitions(results) -%}
    {%- if execute and flags.WHICH in ['build', 'run'] and flags.FULL_REFRESH -%}
        {%- set built = results | selectattr('status', 'equalto', 'success')
            | map(attribute='node.unique_id') | list -%}
        {%- do record_definitions(incremental_models() | selectattr('unique_id', 'in', built) | list, 'built') -%}
    {%- endif -%}
{%- endmacro %}
