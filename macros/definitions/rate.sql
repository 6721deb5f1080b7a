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

{% macro midpoint_change(numerator, denominator) -%}
    {#- Relative to the mean of both rates, so that up and down are equal: -2 and 2 are from and to
        0. Too few views say nothing, and nothing bought at all has no change. -#}
    {%- set before = rate(numerator ~ '_before', denominator ~ '_before') -%}
    {%- set after = rate(numerator ~ '_after', denominator ~ '_after') -%}
    case when least({{ denominator }}_before, {{ denominator }}_after)
        >= {{ var('price_min_views') }}
        and {{ numerator }}_before + {{ numerator }}_after > 0
        then 2 * ({{ after }} - {{ before }}) / ({{ after }} + {{ before }}) end
{%- endmacro %}
