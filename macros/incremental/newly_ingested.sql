{% macro newly_ingested(alias=none) -%}
    {#- The watermark is the newest `_ingested_at` among the rows of the table itself, so it is
        committed with them: a run that dies leaves both as they were. -#}
    {%- set column = (alias ~ '.' if alias else '') ~ '_ingested_at' -%}
    {%- if is_incremental() -%}
    {{ column }} > (
        select coalesce(max(_ingested_at), cast('1970-01-01' as timestamp)) from {{ this }}
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro is_new_and_covered() -%}
    {#- Files that land while the build runs wait for the next one, here and in the quarantine. -#}
    {{ newly_ingested() }}
    and _ingested_at <= (select max(source_files._ingested_at) from source_files)
{%- endmacro %}

{% macro valid_events() -%}
    select * from {{ ref('events_staged') }}
    where
        rejection_reasons = ''
        and {{ is_new_and_covered() }}
{%- endmacro %}

{% macro is_not_in_this_table(events) -%}
    {#- The inner look-up finds the few kept copies first: DuckDB would else hash the whole table.
        The time lets an engine skip the parts of the table that hold other days. -#}
    {%- if is_incremental() -%}
    {{ events }}.event_id not in (
        select kept.event_id from {{ this }} as kept
        where exists (
            select 1 from {{ events }} as incoming
            where
                incoming.event_time = kept.event_time
                and incoming.event_id = kept.event_id
        )
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
