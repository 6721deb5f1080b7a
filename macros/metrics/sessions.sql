{% macro is_session_start(previous_time, time) -%}
    {#- Strictly longer: a pause of exactly the gap still belongs to the session. -#}
    {{ previous_time }} is null
    {%- if var('session_gap_minutes') is not none %}
    or {{ seconds_between(previous_time, time) }} > {{ var('session_gap_minutes') * 60 }}
    {%- endif -%}
{%- endmacro %}

{% macro cleaned_event_columns(relation=none) -%}
    {%- for column in [
        'event_id', 'event_time', 'event_type', 'product_id', 'category_id', 'category_code',
        'brand', 'price', 'user_id', 'user_session', '_source_file', '_ingested_at',
    ] -%}
    {{ relation ~ '.' if relation }}{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
