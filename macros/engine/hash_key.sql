{% macro hash_key(columns) -%}
    {#- chr(31) is the unit separator, which no published text holds: values cannot run together. -#}
    md5(concat_ws(chr(31)
    {%- for column in columns %}, coalesce(cast({{ column }} as string), ''){% endfor %}))
{%- endmacro %}
