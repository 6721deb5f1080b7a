{% macro hash_key(columns) -%}
    {#- chr(31), the unit separator, occurs in no published text, so values cannot run together. -#}
    md5(concat_ws(chr(31)
    {%- for column in columns %}, coalesce(cast({{ column }} as string), ''){% endfor %}))
{%- endmacro %}
