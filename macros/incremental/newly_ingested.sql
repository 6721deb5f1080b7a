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
