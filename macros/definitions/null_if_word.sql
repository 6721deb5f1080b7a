{% macro lower_case(text) -%}
    {#- Engines disagree on the lower case of some capitals. DuckDB looks a text up once for all
        rows that have it as long as a condition sends all rows the same way: most texts, and nulls,
        are no exception. -#}
    {%- set capitals, small_letters = var('special_capitals'), var('special_small_letters') -%}
    case
        when
            bit_length({{ text }}) <> 8 * length({{ text }})
            and {{ text }} <> regexp_replace({{ text }}, '[{{ capitals }}]', '')
            then lower(translate({{ text }}, '{{ capitals }}', '{{ small_letters }}'))
        else lower({{ text }})
    end
{%- endmacro %}

{% macro null_if_word(text, lower=none) -%}
    {#- Words between capitals, which lower case has none of; DuckDB would join a list of words, for
        columns without words too. What a backslash means depends on the engine. -#}
    {%- set words = "('XX" ~ var('null_words') | join('X') ~ "X')" -%}
    {%- set words = words | replace('\\', "' || chr(92) || '") -%}
    case
        when
            length({{ text }}) <= {{ var('null_words') | map('length') | sort | last or 0 }}
            and contains({{ words }}, 'X' || {{ lower or text }} || 'X')
            then null
        else {{ text }}
    end
{%- endmacro %}
