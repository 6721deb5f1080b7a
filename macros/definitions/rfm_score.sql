{% macro score_at_most(value, limits) -%}
    case
        when {{ value }} is null then null
        {%- for limit in limits %}
        when {{ value }} <= {{ limit }} then {{ 5 - loop.index0 }}
        {%- endfor %}
        else 1
    end
{%- endmacro %}

{% macro score_at_least(value, limits) -%}
    case
        when {{ value }} is null then null
        {%- for limit in limits %}
        when {{ value }} >= {{ limit }} then {{ 5 - loop.index0 }}
        {%- endfor %}
        else 1
    end
{%- endmacro %}
