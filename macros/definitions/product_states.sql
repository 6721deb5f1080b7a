{% macro previous_states(partition) -%}
    {%- for state in var('product_states') %}
    lag({{ state }}) over (partition by {{ partition }} order by event_time)
        as previous_{{ state }},
    {%- endfor %}
    lag(event_time) over (partition by {{ partition }} order by event_time) as previous_event_time
{%- endmacro %}

{% macro is_new_state() -%}
    (
        previous_event_time is null
        {%- for state in var('product_states') %}
        or {{ state }} is distinct from previous_{{ state }}
        {%- endfor %}
    )
{%- endmacro %}
