{% macro is_churned(days_without_event) -%}
    {{ days_without_event }} > {{ var('churn_after_days') }}
{%- endmacro %}

{% macro churn_risk(days_without_event) -%}
    case
        when {{ is_churned(days_without_event) }} then 'high'
        when {{ days_without_event }} >= {{ var('churn_medium_risk_after_days') }} then 'medium'
        else 'low'
    end
{%- endmacro %}
