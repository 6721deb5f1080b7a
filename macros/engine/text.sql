{% macro trim_blanks(text) -%}
    {{ adapter.dispatch('trim_blanks')(text) }}
{%- endmacro %}

{#- The engines' one-argument trims differ on tabs and on the no-break space, chr(160). -#}

{% macro default__trim_blanks(text) -%}
    btrim({{ text }}, ' ' || chr(9) || chr(10) || chr(13) || chr(160))
{%- endmacro %}

{% macro duckdb__trim_blanks(text) -%}
    {#- DuckDB's trim with a set of characters costs seven times as much as a search for them, and
        hardly any published text has one: 0.73 s against 0.10 s for 4 million session ids. -#}
    case
        when
            {%- for blank in ["' '", 'chr(9)', 'chr(10)', 'chr(13)', 'chr(160)'] %}
            contains({{ text }}, {{ blank }}){{ ' or' if not loop.last }}
            {%- endfor %}
            then trim({{ text }}, ' ' || chr(9) || chr(10) || chr(13) || chr(160))
        else {{ text }}
    end
{%- endmacro %}
