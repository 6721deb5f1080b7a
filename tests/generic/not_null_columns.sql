{% test not_null_columns(model, columns) %}
    {#- One scan for all columns of a table; keys keep dbt's own not_null beside their unique. -#}
    select {{ columns | join(', ') }} from {{ model }}
    where {{ columns | join(' is null or ') }} is null
{% endtest %}
