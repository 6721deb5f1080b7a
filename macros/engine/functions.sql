{% macro prepare_engine() -%}
    {{ return(adapter.dispatch('prepare_engine')()) }}
{%- endmacro %}

{#- One query asks what would spoil the models without an error. Masks and row filters apply to dbt's
    own reads too: any other principal would build from nulls and missing rows. Keys, days and hours
    are cut from times in the session's zone. `replace on` needs the runtime 17.1, and a SQL
    warehouse, which has no such version, is newer. -#}

{% macro default__prepare_engine() -%}
    {%- if execute -%}
        {%- set session = run_query(
            "select session_user() as principal,"
            " is_account_group_member('ecommerce_pipeline') as is_pipeline,"
            " current_timezone() as zone, current_version().dbr_version as runtime"
        ).rows[0] -%}
        {%- set version = modules.re.match('([0-9]+)[.]([0-9]+)', session['runtime'] or '') -%}
        {%- if var('policies') != 'none' and not session['is_pipeline'] -%}
            {{ exceptions.raise_compiler_error(
                session['principal'] ~ " is not in the account group ecommerce_pipeline, so masks"
                " would hide users from the models themselves; add the principal to it, then run"
                " again"
            ) }}
        {%- elif session['zone'] not in ['UTC', 'Etc/UTC', 'GMT', 'Z', '+00:00'] -%}
            {{ exceptions.raise_compiler_error(
                "the time zone of the warehouse is " ~ session['zone'] ~ ", in which days, hours and"
                " keys would differ; set TIMEZONE to UTC in its SQL configuration parameters, then"
                " run again"
            ) }}
        {%- elif version and [version[1] | int, version[2] | int] < [17, 1] -%}
            {{ exceptions.raise_compiler_error(
                "the runtime is " ~ session['runtime'] ~ ", and the models need 17.1; use a SQL"
                " warehouse or newer compute, then run again"
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- DuckDB gets the functions of Databricks that the models call and it lacks. It has no account
    groups: to try a policy function, set the variable. Above its memory limit DuckDB spills to
    files beside the database. An update reads most of the database once, so that DuckDB's own cache
    only displaces the system's: a day at 110 million events took 35 s with 8 GB and 30 s with 4.
    Without a limit DuckDB takes four fifths of the machine's memory, or of its container's. Not in
    the profile, whose settings every model would set again. -#}

{% macro duckdb__prepare_engine() -%}
    {#- A schema without models is not in dbt's cache: its question would open a transaction, which
        dbt rolls back with all that the hooks at the start do. -#}
    {%- set events = graph.nodes['model.ecommerce_analytics.events_cleaned'] if execute -%}
    {%- set is_update = execute and flags.WHICH != 'test' and not flags.FULL_REFRESH
        and adapter.get_relation(events.database, events.schema, events.alias) -%}
    create macro if not exists is_account_group_member(group_name) as
        coalesce(list_contains(getvariable('account_groups'), group_name), false);
    create macro if not exists unix_date(day) as date_diff('day', date '1970-01-01', day);
    create macro if not exists unix_timestamp(instant) as
        date_diff('second', timestamp '1970-01-01', instant);
    create macro if not exists sequence(first_day, last_day) as
        cast(generate_series(first_day, last_day, interval 1 day) as date[]);
    create macro if not exists explode(list) as unnest(list);
    create macro if not exists collect_set(value) as list_distinct(list(value));
    create macro if not exists size(list) as len(list);
    create macro if not exists raise_error(message) as error(message);
    create macro if not exists get_json_object(json, path) as
        case when json_valid(json) then json_extract_string(json, path) end;
    {% set given = env_var('ECOMMERCE_MEMORY_LIMIT', '') -%}
    {% if given -%}
        set memory_limit = '{{ given }}';
    {%- else -%}
        reset memory_limit;
        set memory_limit = {{ memory_limit("current_setting('memory_limit')", is_update) }};
    {%- endif %}
    set threads = {{ thread_limit("current_setting('threads')", "current_setting('memory_limit')") }}
{%- endmacro %}

{#- What the process needs besides, and the system's copies of files, have the other half. DuckDB
    does not count all that it takes: with 7.5 GB the process stays within 8 GiB. -#}

{% macro memory_limit(engine_default, is_update) -%}
    {%- set most = 4000000000 if is_update else 7500000000 -%}
    least(cast(parse_formatted_bytes({{ engine_default }}) // 2 as bigint), {{ most }}) || 'B'
{%- endmacro %}

{#- Each thread fills buffers of its own: with 16 of them a small limit would be spent on buffers. -#}

{% macro thread_limit(threads, memory) -%}
    least({{ threads }}, greatest(1, cast(parse_formatted_bytes({{ memory }}) // 500000000 as bigint)))
{%- endmacro %}

{#- dbt-duckdb 1.11 does not support function resources; this one becomes a DuckDB macro. -#}

{% macro duckdb__scalar_function_sql(target_relation) -%}
    {%- set arguments = model.arguments | map(attribute='name') | join(', ') -%}
    create or replace macro {{ target_relation.render() }}({{ arguments }}) as (
        cast(({{ model.compiled_code }}) as {{ model.returns.data_type }})
    )
{%- endmacro %}
