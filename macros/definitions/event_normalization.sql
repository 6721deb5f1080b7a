{% macro normalized_text(column, lower_case=true) -%}
    {#- Text is compared in one spelling, and a blank is a missing value. -#}
    nullif({{ 'lower(' if lower_case }}{{ trim_blanks(column) }}{{ ')' if lower_case }}, '')
{%- endmacro %}

{% macro normalized_price(column) -%}
    {#- Not a number, infinite or too large: all become null and break `invalid_price`. Engines round
        a double to cents in different ways, but to a whole number in the same. -#}
    cast(try_cast(round({{ column }} * 100) as decimal(17, 0)) * 0.01 as decimal(18, 2))
{%- endmacro %}
