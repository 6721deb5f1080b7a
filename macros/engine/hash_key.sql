{% macro hash_key(columns) -%}
    {#- chr(31), the unit separator, cannot make two values run together: chr(30) escapes it within
        a value, and itself. Published text has neither. -#}
    md5(concat_ws(chr(31)
    {%- for column in columns %}
    {%- set text = 'cast(' ~ column ~ ' as string)' %}, coalesce(case
        when contains({{ text }}, chr(31)) or contains({{ text }}, chr(30))
            then replace(replace({{ text }}, chr(30), chr(30) || '0'), chr(31), chr(30) || '1')
        else {{ text }}
    end, '')
    {%- endfor %}))
{%- endmacro %}
