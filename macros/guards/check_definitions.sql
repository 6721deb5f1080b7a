{#- Some definitions cannot be applied to rows that are stored already. Each incremental table
    records those that it was built with, and a build that would mix two stops before its first
    model. A full refresh marks its tables while it runs, so that one that died does not count as
    complete. -#}

{% macro definitions(node) -%}
    {#- `tables_of_version` is the project's version that last changed a stored column. -#}
    {%- set found = {'tables_of_version': '0.2.0'} -%}
    {%- for name in [
        'session_gap_minutes', 'earliest_event_date', 'highest_price', 'event_types',
        'product_states',
    ] -%}
        {%- do found.update({name: var(name) | string | replace("'", '')}) -%}
    {%- endfor -%}
    {%- for name, sql in {
        'event_rules': broken_event_rules(),
        'event_normalization': graph.nodes['model.ecommerce_analytics.events_staged'].raw_code
            ~ tojson(var('blanks')) ~ trimmed('a') ~ null_if_word('a', lower_case('a')),
        'event_keys': event_key()
            ~ graph.nodes['model.ecommerce_analytics.event_copies'].raw_code,
        'sessionization': graph.nodes['model.ecommerce_analytics.session_starts'].raw_code
            ~ tracker_part(),
        'change_feed': graph.nodes['model.ecommerce_analytics.event_changes'].raw_code,
        'category_levels': category_level(1, 'a'),
        'state_changes': previous_states('a') ~ is_new_state(),
        'event_counts': event_counts(),
        'funnel_steps': shopping_steps('a', ['b']) ~ funnel_columns('a')
            ~ tojson(funnel_conditions()),
        'sql': node.raw_code,
    }.items() -%}
        {%- set code = modules.re.sub('(?s)[{]#.*?#[}]|--[^\n]*', '', sql) -%}
        {%- do found.update({name: local_md5(code.split() | join(' '))}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro incremental_tables() -%}
    {#- Models that keep rows, by what this run does with their tables: it updates or leaves alone
        the `stored` ones. -#}
    {%- set tables = {'stored': [], 'rebuilding': [], 'built': []} -%}
    {%- for node in graph.nodes.values() | sort(attribute='name')
        if node.resource_type == 'model' and node.config.materialized == 'incremental'
        and node.config.incremental_strategy != 'full_replace' -%}
        {%- set is_stored = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if node.unique_id not in selected_resources -%}
            {%- do tables.stored.append(node) if is_stored -%}
        {%- elif is_stored -%}
            {%- do tables['rebuilding' if flags.FULL_REFRESH else 'stored'].append(node) -%}
        {%- else -%}
            {%- do tables.built.append(node) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro %}

{% macro check_definitions() -%}
    {%- do check_variables() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- set tables = incremental_tables() -%}
        {%- set faults, lines = definition_faults(tables), [] -%}
        {%- for fault, names in faults.items() -%}
            {%- do lines.append('- ' ~ fault ~ ' (' ~ (
                'every table' if names | length == tables.stored | length else names | join(', ')
            ) ~ ')') -%}
        {%- endfor -%}
        {%- if faults -%}
            {{ exceptions.raise_compiler_error(
                'this build would leave tables that do not agree with each other:\n'
                ~ lines | join('\n') ~ '\nNothing was changed. Restore the old definitions, or '
                ~ 'rebuild every table: make run FULL=1, or dbt build --full-refresh'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro definition_faults(tables) -%}
    {%- set faults, recorded = {}, recorded_definitions() if tables.stored else {} -%}
    {%- set rebuilding = tables.rebuilding | map(attribute='name') | list -%}
    {%- set missing = tables.built | map(attribute='name') | list -%}
    {%- for node in tables.stored -%}
        {%- set before = (recorded or {}).get(node.name, {}) -%}
        {%- set fault = 'built by a version of this project before 0.2.0, or '
            ~ definitions_table() ~ ' cannot be read' if recorded is none
            else 'its definitions are not known' if not before
            else 'a user was erased, and no full refresh has ended since'
                if before.status == 'erased'
            else 'a full refresh of it did not end' if before.status != 'built' -%}
        {%- do faults.setdefault(fault, []).append(node.name) if fault -%}
        {%- for name, value in definitions(node).items()
            if not fault and before.get(name) != value -%}
            {%- do faults.setdefault(name ~ (' changed' if value | length == 32 else
                ': ' ~ before.get(name, 'unknown') ~ ' before, ' ~ value ~ ' now'
            ), []).append(node.name) -%}
        {%- endfor -%}
        {#- Another table has other batches, in which rows that are counted already are new. -#}
        {%- set ahead = [] -%}
        {%- for name in upstream_models(node) -%}
            {%- if name in rebuilding -%}
                {%- do ahead.append(name ~ ' is rebuilt without it: select ' ~ name ~ '+') -%}
            {%- elif name in missing -%}
                {%- do ahead.append(name ~ ' is missing, and would be built without it') -%}
            {%- elif not fault and recorded.get(name, before).recorded_at > before.recorded_at -%}
                {%- do ahead.append(name ~ ' was rebuilt without it') -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do faults.setdefault(ahead[0], []).append(node.name) if ahead -%}
    {%- endfor -%}
    {#- Both read a table that each build prepares for its own files. -#}
    {%- for name in ['events_cleaned', 'events_quarantined'] -%}
        {%- set node = graph.nodes['model.ecommerce_analytics.' ~ name] -%}
        {%- if node.unique_id in selected_resources
            and node.depends_on.nodes | reject('in', selected_resources) | list -%}
            {%- do faults.update({
                'it would read what an earlier build prepared: select +' ~ name: [name]
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(faults) }}
{%- endmacro %}

{% macro upstream_models(node) -%}
    {#- The nearest first: the list grows while it is read. -#}
    {%- set found, names = [node.unique_id], [] -%}
    {%- for id in found -%}
        {%- for parent in graph.nodes[id].depends_on.nodes
            if parent in graph.nodes and parent not in found -%}
            {%- do found.append(parent) -%}
            {%- do names.append(graph.nodes[parent].name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{% macro definitions_table() -%}
    {{ return(api.Relation.create(
        database=target.database, schema=generate_schema_name('silver_layer', none),
        identifier='model_definitions', type='table'
    )) }}
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
    {%- for model, definition, value, at in recorded.rows | sort(attribute='recorded_at') -%}
        {%- do found.setdefault(model, {}).update({definition: value, 'recorded_at': at}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro create_definitions_table() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- set tables = incremental_tables() -%}
        {%- if (tables.built or tables.rebuilding) and recorded_definitions() is none -%}
            create or replace table {{ definitions_table() }}
            (model string, definition string, value string, recorded_at string)
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro record_definitions(results=none) -%}
    {#- At the start of a run, and once more when the results of a full refresh are there. -#}
    {%- if execute and flags.WHICH in ['build', 'run']
        and (results is none or flags.FULL_REFRESH) -%}
        {%- set rows, tables, ended = [], incremental_tables(), results is not none -%}
        {%- set succeeded = (results or []) | selectattr('status', 'equalto', 'success')
            | map(attribute='node.unique_id') | list -%}
        {%- set at = modules.datetime.datetime.now(modules.pytz.utc).isoformat() -%}
        {%- for node in tables.rebuilding + tables.built
            if not ended or node.unique_id in succeeded -%}
            {%- set status = 'built' if ended or node in tables.built else 'rebuilding' -%}
            {%- for name, value in dict(definitions(node), status=status).items() -%}
                {%- do rows.append("('" ~ [node.name, name, value, at] | join("', '") ~ "')") -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- if rows -%}
            insert into {{ definitions_table() }} values {{ rows | join(', ') }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
