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
    {#- The time lets an engine skip the parts of the table that hold other days. -#}
    {%- if is_incremental() -%}
    not exists (
        select 1 from {{ this }} as kept
        where
            kept.event_time = {{ events }}.event_time
            and kept.event_id = {{ events }}.event_id
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
