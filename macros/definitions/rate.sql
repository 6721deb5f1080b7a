{% macro rate(numerator, denominator) -%}
    {#- Null where there is nothing to divide by: a rate of 0 would suggest zero conversions. -#}
    case when {{ denominator }} > 0
        then cast({{ numerator }} as double) / cast({{ denominator }} as double) end
{%- endmacro %}

{% macro money_average(total, number) -%}
    {#- Half a cent rounds up. Whole cents are exact in a double below 45 trillion, so every engine
        returns the same cent; their own avg(decimal) differ in type and rounding. -#}
    case when {{ number }} > 0
        then cast(cast(floor(
            (cast(cast({{ total }} as decimal(38, 2)) * 200 as double) + {{ number }})
            / (2 * {{ number }})
        ) as decimal(18, 0)) * 0.01 as decimal(18, 2)) end
{%- endmacro %}
