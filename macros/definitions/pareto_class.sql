{% macro pareto_class(revenue, running_revenue, total_revenue) -%}
    {#- The revenue ranked above the product decides. The product that crosses the limit still
        belongs to the class, so that class A makes at least its share. -#}
    case
        when {{ revenue }} = 0 then null
        when {{ running_revenue }} - {{ revenue }}
            < {{ total_revenue }} * {{ var('pareto_a_share') }} then 'A'
        when {{ running_revenue }} - {{ revenue }}
            < {{ total_revenue }} * {{ var('pareto_b_share') }} then 'B'
        else 'C'
    end
{%- endmacro %}
