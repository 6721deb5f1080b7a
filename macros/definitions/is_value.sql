{% macro is_value(text) -%}
    {#- Words between capitals, which lower case has none of. DuckDB would join a list of words, for
        columns without words too, a sixth of a first build. Few texts are a part of the words, and
        only those are compared with whole ones. What a backslash means depends on the engine. -#}
    {%- set backslash = "' || chr(92) || '" -%}
    {%- set words = "('XX" ~ var('null_words') | join('X') | replace('\\', backslash) ~ "X')" -%}
    not contains({{ words }}, {{ text }}) or not contains({{ words }}, 'X' || {{ text }} || 'X')
{%- endmacro %}
