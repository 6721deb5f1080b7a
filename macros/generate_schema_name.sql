{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- A pull request builds beside the tables it is compared with; sources have no prefix. -#}
    {{ env_var('DBT_SCHEMA_PREFIX', '') }}{{ custom_schema_name or target.schema }}
{%- endmacro %}
