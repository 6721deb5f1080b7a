{#- By the catalog, because the profile of a job's dbt task has a target name of its own. -#}

{% macro environment() -%}
    {{ return(target.database | replace('ecommerce_analytics_', '')) }}
{%- endmacro %}
