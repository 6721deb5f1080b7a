{% macro is_in_any_group(groups) -%}
    {%- if var('policies') -%}
    (
        {%- for group in groups %}
        is_account_group_member('{{ group }}'){{ ' or' if not loop.last }}
        {%- endfor %}
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
