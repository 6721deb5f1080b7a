{% macro quality_gate() -%}
    {#- The last check of silver before gold. It reads the tables, not the results of tests: the
        tests of a build that never ran cannot fail. -#}
    {%- set tables = {
        'raw': raw_events(),
        'files': ref('source_files'),
        'cleaned': ref('events_cleaned'),
        'quarantined': ref('events_quarantined'),
    } -%}
    {%- set faults = [] -%}
    {%- for table in tables.values() if load_relation(table) is none -%}
        {%- do faults.append(table.render() ~ ' does not exist: load bronze, then build silver') -%}
    {%- endfor -%}
    {%- if not faults -%}
        {%- do faults.extend(quality_gate_faults(tables)) -%}
    {%- endif -%}
    {%- if faults -%}
        {{ exceptions.raise_compiler_error(
            'the quality gate is shut and gold stays as it is:\n- ' ~ faults | join('\n- ')
        ) }}
    {%- endif -%}
    {%- do log('the quality gate is open', info=true) -%}
{%- endmacro %}

{% macro quality_gate_faults(tables) -%}
    {%- set totals = run_query(quality_gate_totals(tables)).rows[0] -%}
    {%- set bronze, clean, quarantined, lag = totals.values() -%}
    {%- set faults = [] -%}
    {%- if not bronze -%}
        {%- do faults.append(tables.raw.render() ~ ' is empty: land files and load them') -%}
    {%- endif -%}
    {%- if not clean -%}
        {%- do faults.append(tables.cleaned.render() ~ ' is empty: build silver') -%}
    {%- endif -%}
    {%- if lag is none -%}
        {%- do faults.append(tables.files.render() ~ ' covers no file: build silver') -%}
    {%- elif lag > var('gate_max_lag_minutes') * 60 -%}
        {%- do faults.append(
            'silver is stale: bronze is ' ~ lag ~ ' s ahead of it, '
            ~ var('gate_max_lag_minutes') ~ ' min are allowed: build silver'
        ) -%}
    {%- endif -%}
    {%- for file, raw_rows, silver_rows in run_query(unaccounted_files()).rows -%}
        {%- do faults.append(
            file ~ ': ' ~ (raw_rows or 0) ~ ' rows in bronze, ' ~ (silver_rows or 0)
            ~ ' in silver: build silver with --full-refresh'
        ) -%}
    {%- endfor -%}
    {%- if bronze and quarantined / bronze > var('gate_max_quarantined_share') -%}
        {%- do faults.append(
            quarantined ~ ' of ' ~ bronze ~ ' rows are quarantined, a share above '
            ~ var('gate_max_quarantined_share') ~ ': see rejection_reason in '
            ~ tables.quarantined.render()
        ) -%}
    {%- endif -%}
    {{ return(faults) }}
{%- endmacro %}

{% macro quality_gate_totals(tables) -%}
    select
        (select count(*) from {{ tables.raw }}) as bronze_rows,
        (select count(*) from {{ tables.cleaned }}) as clean_rows,
        (select count(*) from {{ tables.quarantined }}) as quarantined_rows,
        {{ seconds_between(
            '(select max(_ingested_at) from ' ~ tables.files ~ ')',
            '(select max(_ingested_at) from ' ~ tables.raw ~ ')',
        ) }} as lag_seconds
{%- endmacro %}

{% macro unaccounted_files() -%}
    {#- Every bronze row that silver covers is either clean or quarantined, once. -#}
    select
        coalesce(bronze._source_file, silver._source_file) as _source_file,
        bronze.number_of_rows as bronze_rows,
        silver.number_of_rows as silver_rows
    from (
        select
            _source_file,
            count(*) as number_of_rows
        from {{ raw_events() }}
        where
            _ingested_at <= (
                select max(source_files._ingested_at) from {{ ref('source_files') }} as source_files
            )
        group by _source_file
    ) as bronze
    full outer join (
        select
            _source_file,
            count(*) as number_of_rows
        from (
            select _source_file from {{ ref('events_cleaned') }}
            union all
            select _source_file from {{ ref('events_quarantined') }}
        ) as both_tables
        group by _source_file
    ) as silver
        on bronze._source_file = silver._source_file
    where bronze.number_of_rows is distinct from silver.number_of_rows
{%- endmacro %}
