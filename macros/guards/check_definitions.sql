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
        'event_keys': event_key() ~ numbered_copies('a', ['b']),
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

{% macro models_to_check() -%}
    {#- By what this run does with their tables: `stored` ones it updates or leaves alone. -#}
    {%- set found = {'stored': [], 'rebuilding': [], 'built': []} -%}
    {%- for node in incremental_models() -%}
        {%- set is_selected = node.unique_id in selected_resources -%}
        {%- if adapter.get_relation(node.database, node.schema, node.alias) is none -%}
            {%- do found['built'].append(node) if is_selected -%}
        {%- else -%}
            {%- set is_rebuilt = is_selected and flags.FULL_REFRESH -%}
            {%- do found['rebuilding' if is_rebuilt else 'stored'].append(node) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro check_definitions() -%}
    {%- do check_variables() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- set models = models_to_check() -%}
        {%- set faults = definition_faults(models.stored) -%}
        {%- do faults.update(selection_faults(models)) -%}
        {%- if faults -%}
            {%- set lines = [] -%}
            {%- for fault, names in faults.items() -%}
                {%- set tables = 'every table' if names | length == models.stored | length
                    else names | join(', ') -%}
                {%- do lines.append('- ' ~ fault ~ ' (' ~ tables ~ ')') -%}
            {%- endfor -%}
            {{ exceptions.raise_compiler_error(
                'this build would leave tables that do not agree with each other:\n'
                ~ lines | join('\n') ~ '\nNothing was changed. Restore the old definitions, or '
                ~ 'rebuild every table: make run FULL=1, or dbt build --full-refresh'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro selection_faults(models) -%}
    {%- set faults = {} -%}
    {%- if 'model.ecommerce_analytics.events_cleaned' in selected_resources
        and 'model.ecommerce_analytics.events_replaced' not in selected_resources -%}
        {%- do faults.update({
            'it would replace events without their before images: select +events_cleaned':
            ['events_cleaned']
        }) -%}
    {%- endif -%}
    {%- set left = models.stored | map(attribute='name')
        | reject('in', ['source_files', 'events_replaced']) | list -%}
    {%- if left and 'events_cleaned' in models.rebuilding | map(attribute='name') -%}
        {%- do faults.update({'events_cleaned is rebuilt without it: select events_cleaned+': left}) -%}
    {%- endif -%}
    {{ return(faults) }}
{%- endmacro %}

{% macro create_definitions_table() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- set models = models_to_check() -%}
        {%- if (models.built or models.rebuilding) and recorded_definitions() is none %}
            create or replace table {{ definitions_table() }}
            (model string, definition string, value string, recorded_at string)
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro record_definitions(results=none) -%}
    {#- At the start of a run, and once more when its results are there. -#}
    {%- if execute and flags.WHICH in ['build', 'run'] and (results is none or flags.FULL_REFRESH) -%}
        {%- set models = models_to_check() -%}
        {%- if results is not none -%}
            {%- set succeeded = results | selectattr('status', 'equalto', 'success')
                | map(attribute='node.unique_id') | list -%}
            {%- set models = {
                'built': incremental_models() | selectattr('unique_id', 'in', succeeded) | list
            } -%}
        {%- endif -%}
        {%- set rows = [] -%}
        {%- set now = modules.datetime.datetime.now(modules.pytz.utc) -%}
        {%- set at = now.strftime('%Y-%m-%d %H:%M:%S.%f') -%}
        {%- for status, nodes in models.items() if status != 'stored' -%}
            {%- for node in nodes -%}
                {%- for name, value in dict(definitions(node), status=status).items() -%}
                    {%- do rows.append("('" ~ [node.name, name, value, at] | join("', '") ~ "')") -%}
                {%- endfor -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- if rows -%}
            insert into {{ definitions_table() }} values {{ rows | join(', ') }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro recorded_definitions() -%}
    {#- The newest value of each model's definitions; none where they cannot be read. -#}
    {%- set table, found = definitions_table(), {} -%}
    {%- if adapter.get_relation(table.database, table.schema, table.identifier) is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set recorded = run_query('select * from ' ~ table) -%}
    {%- if recorded.column_names | list != ['model', 'definition', 'value', 'recorded_at'] -%}
        {{ return(none) }}
    {%- endif -%}
    {%- for model, definition, value, _ in recorded.rows | sort(attribute='recorded_at') -%}
        {%- do found.setdefault(model, {}).update({definition: value}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro definition_faults(stored) -%}
    {%- set faults, recorded = {}, recorded_definitions() if stored else {} -%}
    {%- for node in stored -%}
        {%- set before = (recorded or {}).get(node.name, {}) -%}
        {%- set changed = [] -%}
        {%- if recorded is none -%}
            {%- do changed.append('built by a version of this project before 0.2.0, or '
                ~ definitions_table() ~ ' cannot be read') -%}
        {%- elif not before -%}
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
