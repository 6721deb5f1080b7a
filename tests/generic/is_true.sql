{% test is_true(model, expression) %}
    {#- Fails on rows for which the expression is false or null. -#}
    select * from {{ model }}
    where not coalesce({{ expression }}, false)
{% endtest %}
