{% macro raw_events() -%}
    {{ return(
        ref('events_raw') if var('declarative') else source('bronze_layer', 'events_raw')
    ) }}
{%- endmacro %}

{% macro event_schema() -%}
    {#- What a landed line holds: the columns of the model without what loading adds. -#}
    {%- for column in model.columns.values() if not column.name.startswith('_') -%}
        {{ column.name }} {{ column.data_type }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
