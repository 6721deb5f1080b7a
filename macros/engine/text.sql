{% macro trim_blanks(text) -%}
    {{ adapter.dispatch('trim_blanks')(text) }}
{%- endmacro %}

{#- The engines' one-argument trim disagree on tabs and on the no-break space, chr(160). -#}

{% macro default__trim_blanks(text) -%}
    btrim({{ text }}, ' ' || chr(9) || chr(10) || chr(13) || chr(160))
{%- endmacro %}

{% macro duckdb__trim_blanks(text) -%}
    trim({{ text }}, ' ' || chr(9) || chr(10) || chr(13) || chr(160))
{%- endmacro %}
