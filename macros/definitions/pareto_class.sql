{% macro pareto_class(revenue, running_revenue, total_revenue) -%}
    {#- What stands before the product decides: the product that crosses the line still belongs to
        the class, so that class A makes at least its share. Null: it never sold. -#}
    case
        when {{ revenue }} = 0 then null
        when {{ running_revenue }} - {{ revenue }}
            < {{ total_revenue }} * {{ var('pareto_a_share') }} then 'A'
        when {{ running_revenue }} - {{ revenue }}
            < {{ total_revenue }} * {{ var('pareto_b_share') }} then 'B'
        else 'C'
    end
{%- endmacro %}
