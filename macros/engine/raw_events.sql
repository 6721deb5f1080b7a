{% macro raw_events() -%}
    {{ return(
        ref('events_raw') if var('declarative') else source('bronze_layer', 'events_raw')
    ) }}
{%- endmacro %}
