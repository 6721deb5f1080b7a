{#- Watermarks are the newest time among the rows of the table itself, so they are committed with
    them: a run that dies leaves both as they were. -#}

{% macro newly_ingested() -%}
    {{ is_above_watermark('_ingested_at', '_ingested_at') }}
{%- endmacro %}

{% macro newly_updated(alias=none) -%}
    {{ is_above_watermark((alias ~ '.' if alias else '') ~ '_updated_at', '_updated_at') }}
{%- endmacro %}

{% macro is_above_watermark(column, watermark) -%}
    {%- if is_incremental() -%}
    {{ column }} > (
        select coalesce(max({{ watermark }}), cast('1970-01-01' as timestamp)) from {{ this }}
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
