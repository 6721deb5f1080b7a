{% macro quality_gate() -%}
    {#- The last check of silver before gold. It reads the tables, not the results of tests: the
        tests of a build that never ran cannot fail. -#}
    {%- set raw = ref('events_raw') if var('declarative')
        else source('bronze_layer', 'events_raw') -%}
    {%- set faults = [] -%}
    {%- for table in [
        raw, ref('source_files'), ref('events_cleaned'), ref('events_quarantined'),
        ref('silver_totals'), ref('batch_totals'), ref('unaccounted_files'),
    ] if load_relation(table) is none -%}
        {%- do faults.append(table.render() ~ ' does not exist: load bronze, then build silver') -%}
    {%- endfor -%}
    {%- do faults.extend([] if faults else quality_gate_faults(raw)) -%}
    {%- set recorded = insert_history('run_history', [
        gate_decision('shut' if faults else 'open', faults | join('; '))
    ]) | trim -%}
    {%- do keep_in_operation(recorded) if recorded -%}
    {%- if faults -%}
        {{ exceptions.raise_compiler_error(
            'the quality gate is shut and gold stays as it is:\n- ' ~ faults | join('\n- ')
        ) }}
    {%- endif -%}
    {%- do log('the quality gate is open', info=true) -%}
{%- endmacro %}

{% macro quality_gate_faults(raw) -%}
    {%- set bronze, clean, lag
        = run_query('select * from ' ~ ref('silver_totals')).rows[0].values() -%}
    {%- set new, rejected
        = run_query('select * from ' ~ ref('batch_totals')).rows[0].values() -%}
    {%- set max_lag, max_share = var('gate_max_lag_minutes'), gate_max_share() | float -%}
    {%- set faults = [] -%}
    {%- for is_fault, fault in [
        (not bronze, raw.render() ~ ' is empty: land files and load them'),
        (not clean, ref('events_cleaned').render() ~ ' is empty: build silver'),
        (lag is none, ref('source_files').render() ~ ' covers no file: build silver'),
        ((lag or 0) > max_lag * 60, 'silver is stale: bronze is ' ~ lag ~ ' s ahead of it, '
            ~ max_lag ~ ' min are allowed: build silver'),
        (rejected > max_share * new, rejected ~ ' of ' ~ new
            ~ ' new rows are rejected, a share above ' ~ max_share
            ~ ': see rejection_reason in ' ~ ref('events_quarantined')),
    ] if is_fault -%}
        {%- do faults.append(fault) -%}
    {%- endfor -%}
    {%- for file, raw_rows, silver_rows in run_query(
        'select * from ' ~ ref('unaccounted_files')
    ).rows -%}
        {%- do faults.append(file ~ ': ' ~ raw_rows ~ ' rows in bronze, ' ~ silver_rows
            ~ ' in silver: build silver with --full-refresh') -%}
    {%- endfor -%}
    {{ return(faults) }}
{%- endmacro %}

{% macro gate_max_share() -%}
    {%- set share = var('gate_max_quarantined_share') -%}
    {{ share if share is number else share.get(environment(), share.default) }}
{%- endmacro %}
