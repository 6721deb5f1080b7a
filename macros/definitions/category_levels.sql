{% macro category_levels(code) -%}
    {%- for level in [1, 2, 3] %}
    nullif(split_part({{ code }}, '.', {{ level }}), '') as category_l{{ level }}
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
