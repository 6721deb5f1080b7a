{% macro normalized_text(column, lower_case=true) -%}
    {#- Text is compared in one spelling, and blank text is a missing value. The engines' own trims
        differ on tabs and the no-break space, chr(160). DuckDB's trim of a set of characters costs
        seven times as much as a search for them, and hardly any published text has one. -#}
    {%- set blanks = ["' '", 'chr(9)', 'chr(10)', 'chr(13)', 'chr(160)'] -%}
    nullif({{ 'lower(' if lower_case }}case
        when
            {%- for blank in blanks %}
            contains({{ column }}, {{ blank }}){{ ' or' if not loop.last }}
            {%- endfor %}
            then trim(both {{ blanks | join(' || ') }} from {{ column }})
        else {{ column }}
    end{{ ')' if lower_case }}, '')
{%- endmacro %}
