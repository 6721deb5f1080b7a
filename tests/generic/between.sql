{% test between(model, column_name, min_value, max_value=none) %}
    {#- Null passes: a rate without a denominator is null. -#}
    select {{ column_name }} from {{ model }}
    where
        {{ column_name }} < {{ min_value }}
        {% if max_value is not none %} or {{ column_name }} > {{ max_value }} {% endif %}
{% endtest %}
