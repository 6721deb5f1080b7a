{% macro is_in_any_group(groups) -%}
    {%- if var('policies') != 'none' -%}
    (is_account_group_member('{{ groups | join("') or is_account_group_member('") }}'))
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
