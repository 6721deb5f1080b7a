{% macro local_time(instant) -%}
    {{ return(adapter.dispatch('local_time')(instant)) }}
{%- endmacro %}

{% macro default__local_time(instant) -%}
    from_utc_timestamp({{ instant }}, '{{ var("shop_time_zone") }}')
{%- endmacro %}

{% macro duckdb__local_time(instant) -%}
    timezone('{{ var("shop_time_zone") }}', timezone('UTC', {{ instant }}))
{%- endmacro %}
