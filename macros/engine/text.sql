{#- DuckDB has forms of its own, with the same result: it looks a text up once for all rows that
    have it as long as a condition sends all rows the same way. Spark copies an expression as often
    as others name it, so that there the plain form is the fast one. -#}

{% macro trimmed(text) -%}
    {{ return(adapter.dispatch('trimmed')(text)) }}
{%- endmacro %}

{% macro default__trimmed(text) -%}
    trim(both '{{ var("blanks") }}' from {{ text }})
{%- endmacro %}

{% macro duckdb__trimmed(text) -%}
    {#- A first and a last character are cheaper to look up than a text is to trim. -#}
    case
        when
            contains('{{ var("blanks") }}', substring({{ text }}, 1, 1))
            or contains('{{ var("blanks") }}', substring({{ text }}, -1, 1))
            then {{ default__trimmed(text) }}
        else {{ text }}
    end
{%- endmacro %}

{% macro lower_case(text) -%}
    {{ return(adapter.dispatch('lower_case')(text)) }}
{%- endmacro %}

{% macro default__lower_case(text) -%}
    {#- Engines disagree on the lower case of some capitals. -#}
    lower(translate(
        {{ text }}, '{{ var("special_capitals") }}', '{{ var("special_small_letters") }}'
    ))
{%- endmacro %}

{% macro duckdb__lower_case(text) -%}
    {#- Most texts, and nulls, are no exception. -#}
    case
        when
            bit_length({{ text }}) <> 8 * length({{ text }})
            and {{ text }} <> regexp_replace({{ text }}, '[{{ var("special_capitals") }}]', '')
            then {{ default__lower_case(text) }}
        else lower({{ text }})
    end
{%- endmacro %}

{% macro null_if_word(text, lower=none) -%}
    {{ return(adapter.dispatch('null_if_word')(text, lower or text)) }}
{%- endmacro %}

{% macro default__null_if_word(text, lower) -%}
    case
        when {{ lower }} not in (
            ''
            {%- for word in var('null_words') %}, {{ quoted(word) }}{% endfor -%}
        ) then {{ text }}
    end
{%- endmacro %}

{% macro duckdb__null_if_word(text, lower) -%}
    {#- Words between capitals, which lower case has none of; DuckDB would join a list of words, for
        columns without words too. A word as long as a session id is compared by itself: no session
        id is short enough for the others. -#}
    {%- set short, long = [], [] -%}
    {%- for word in var('null_words') -%}
        {%- do (short if word | length < 36 else long).append(word) -%}
    {%- endfor -%}
    case
        when
            length({{ text }}) <= {{ short | map('length') | sort | last or 0 }}
            and contains(({{ quoted('XX' ~ short | join('X') ~ 'X') }}), 'X' || {{ lower }} || 'X')
            then null
        {%- for word in long %}
        when {{ text if word == word | upper else lower }} = ({{ quoted(word) }}) then null
        {%- endfor %}
        else {{ text }}
    end
{%- endmacro %}

{% macro quoted(text) -%}
    {#- What a backslash means depends on the engine. -#}
    '{{ text | replace('\\', "' || chr(92) || '") }}'
{%- endmacro %}
