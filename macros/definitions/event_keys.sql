{#- Events with equal values in all nine normalized columns are one event. -#}

{% macro event_columns(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    {{ prefix }}{{ [
        'event_time', 'event_type', 'product_id', 'category_id', 'category_code', 'brand', 'price',
        'user_id', 'user_session',
    ] | join(', ' ~ prefix) }}
{%- endmacro %}

{% macro event_key(relation=none) -%}
    {{ hash_key(event_columns(relation).split(', ')) }}
{%- endmacro %}
