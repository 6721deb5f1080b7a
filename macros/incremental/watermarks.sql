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

{% macro is_due(rules=none) -%}
    {#- Days since an event count for every row when the as-of date moves, and so does a threshold
        that changes: `rules` is the fingerprint of those that judge a row. -#}
    {%- if is_incremental() -%}
    (
        {{ newly_updated() }}
        or as_of_date <> (select max(as_of_date) from {{ this }})
        {%- if rules %}
        or {{ rules }} <> (select max(_rules) from {{ this }})
        {%- endif %}
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro fingerprint(names) -%}
    {%- set values = {} -%}
    {%- for name in names -%}
        {%- do values.update({name: var(name)}) -%}
    {%- endfor -%}
    {#- A number below 2^60: a text in every row costs more to write. -#}
    {{ return(local_md5(tojson(values, sort_keys=true))[:15] | int(base=16)) }}
{%- endmacro %}
