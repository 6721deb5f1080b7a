{% macro normalized_text(column, lower_case=true) -%}
    {#- Text is compared in one spelling; blank text is a missing value. -#}
    nullif({{ 'lower(' if lower_case }}{{ trim_blanks(column) }}{{ ')' if lower_case }}, '')
{%- endmacro %}

{% macro normalized_price(column) -%}
    {#- NaN, infinite and too large prices become null and break `invalid_price`. Engines differ in
        how they round a double to cents, but agree on whole numbers. -#}
    cast(try_cast(round({{ column }} * 100) as decimal(17, 0)) * 0.01 as decimal(18, 2))
{%- endmacro %}
