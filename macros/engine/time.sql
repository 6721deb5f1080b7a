{% macro seconds_between(start_at, end_at) -%}
    {{ adapter.dispatch('seconds_between')(start_at, end_at) }}
{%- endmacro %}

{% macro default__seconds_between(start_at, end_at) -%}
    (unix_timestamp({{ end_at }}) - unix_timestamp({{ start_at }}))
{%- endmacro %}

{% macro duckdb__seconds_between(start_at, end_at) -%}
    date_diff('second', {{ start_at }}, {{ end_at }})
{%- endmacro %}

{% macro days_between(start_date, end_date) -%}
    {{ adapter.dispatch('days_between')(start_date, end_date) }}
{%- endmacro %}

{% macro default__days_between(start_date, end_date) -%}
    cast(datediff({{ end_date }}, {{ start_date }}) as bigint)
{%- endmacro %}

{% macro duckdb__days_between(start_date, end_date) -%}
    date_diff('day', {{ start_date }}, {{ end_date }})
{%- endmacro %}

{% macro iso_weekday(day) -%}
    {{ adapter.dispatch('iso_weekday')(day) }}
{%- endmacro %}

{% macro default__iso_weekday(day) -%}
    ((dayofweek({{ day }}) + 5) % 7 + 1)
{%- endmacro %}

{% macro duckdb__iso_weekday(day) -%}
    isodow({{ day }})
{%- endmacro %}

{% macro every_day(first_day, last_day) -%}
    {{ adapter.dispatch('every_day')(first_day, last_day) }}
{%- endmacro %}

{% macro default__every_day(first_day, last_day) -%}
    explode(sequence({{ first_day }}, {{ last_day }}))
{%- endmacro %}

{% macro duckdb__every_day(first_day, last_day) -%}
    cast(unnest(generate_series({{ first_day }}, {{ last_day }}, interval 1 day)) as date)
{%- endmacro %}
