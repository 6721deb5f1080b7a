{% macro null_if_word(text, value) -%}
    {#- Words between capitals, which lower case has none of. DuckDB would join a list of words, for
        columns without words too, and looks a text up once for all rows that have it as long as no
        condition reads another: so most are let pass by what is cheap, a third of the time of
        normalization. What a backslash means depends on the engine. -#}
    {%- set lower, trimmed = 'lower_' ~ text, 'trimmed_' ~ text -%}
    {#- Escaped, a word is at least as long as its bytes. -#}
    {%- set longest = var('null_words') | map('urlencode') | map('length') | sort | last -%}
    {%- set backslash = "' || chr(92) || '" -%}
    {%- set words = "('XX" ~ var('null_words') | join('X') | replace('\\', backslash) ~ "X')" -%}
    case
        when bit_length({{ lower }}) > {{ 8 * (longest or 0) }} then {{ value }}
        when
            bit_length({{ trimmed }}) = 8 * length({{ trimmed }})
            and not contains({{ words }}, lower({{ trimmed }}))
            then {{ value }}
        when not contains({{ words }}, 'X' || {{ lower }} || 'X') then {{ value }}
    end
{%- endmacro %}
