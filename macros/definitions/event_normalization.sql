{% macro normalized_text(column, lower_case=true) -%}
    {#- Text is compared in one spelling; blank text is a missing value. -#}
    nullif({{ 'lower(' if lower_case }}{{ trim_blanks(column) }}{{ ')' if lower_case }}, '')
{%- endmacro %}
