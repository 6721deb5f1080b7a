{% test unique_key(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }} as tested
    {%- if looks_at_recent_rows() %}
    where exists (
        select 1 from {{ model }} as recent
        where
            {%- for column in columns %}
            recent.{{ column }} = tested.{{ column }} and
            {%- endfor %}
            {{ is_recent('recent') }}
    )
    {%- endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
