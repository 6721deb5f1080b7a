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
        columns without words too. What a backslash means depends on the engine. A word as long as a
        session id is compared by itself: no session id is short enough for the others. -#}
    {%- set short, long, backslash = [], [], "' || chr(92) || '" -%}
    {%- for word in var('null_words') -%}
        {%- do (short if word | length < 36 else long).append(word) -%}
    {%- endfor -%}
    {%- set words = ('XX' ~ short | join('X') ~ 'X') | replace('\\', backslash) -%}
    case
        when
            length({{ text }}) <= {{ short | map('length') | sort | last or 0 }}
            and contains(('{{ words }}'), 'X' || {{ lower or text }} || 'X')
            then null
        {%- for word in long %}
        when {{ text if word == word | upper else lower or text }}
            = ('{{ word | replace('\\', backslash) }}') then null
        {%- endfor %}
        else {{ text }}
    end
{%- endmacro %}
