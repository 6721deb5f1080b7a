{#- Read from the code, not stored with each event: three columns less to write and to keep. -#}

{% macro category_level(level, code='category_code') -%}
    nullif(split_part({{ code }}, '.', {{ level }}), '')
{%- endmacro %}
