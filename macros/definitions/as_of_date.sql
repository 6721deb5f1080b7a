{% macro as_of_date() -%}
    {{ "cast('" ~ var('as_of_date') ~ "' as date)" if var('as_of_date')
        else '(select max(event_date) from ' ~ ref('user_daily_activity') ~ ')' }}
{%- endmacro %}

{% macro observed_until() -%}
    {{ 'least(' ~ as_of_date() ~ ', (select max(event_date) from '
        ~ ref('user_daily_activity') ~ '))' if var('as_of_date') else as_of_date() }}
{%- endmacro %}
