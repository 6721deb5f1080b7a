{% macro raw_events() -%}
    {{ return(
        ref('events_landed') if var('declarative') else source('bronze_layer', 'events_raw')
    ) }}
{%- endmacro %}

{% macro event_schema() -%}
    {#- From the yml of the source, which declares the columns once. -#}
    {%- if execute -%}
        {%- set raw = graph.sources.values() | selectattr('name', 'equalto', 'events_raw') | first -%}
        {%- for column in raw.columns.values() if not column.name.startswith('_') -%}
            {{ column.name }} {{ column.data_type }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
