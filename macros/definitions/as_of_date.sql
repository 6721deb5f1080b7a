{% macro as_of_date() -%}
    {{ "cast('" ~ var('as_of_date') ~ "' as date)" if var('as_of_date')
        else '(select max(event_date) from ' ~ ref('user_daily_activity') ~ ')' }}
{%- endmacro %}
