{% test unique_key(model, columns, compare_where_shared=[]) %}
    {#- Of a long key a few narrow columns find the few rows that are worth comparing: null must not
        be among their values. -#}
    {%- set narrow = compare_where_shared or columns %}
    select {{ columns | join(', ') }}
    from {{ model }} as tested
    where true
    {%- if compare_where_shared %}
    and exists (
        select 1
        from (
            select {{ narrow | join(', ') }}
            from {{ model }} as grouped
            group by {{ narrow | join(', ') }}
            having count(*) > 1
        ) as shared
        where
            {%- for column in narrow %}
            shared.{{ column }} = tested.{{ column }}{{ ' and' if not loop.last }}
            {%- endfor %}
    )
    {%- endif %}
    {%- if looks_at_recent_rows() %}
    and exists (
        select 1 from {{ model }} as recent
        where
            {%- for column in narrow %}
            recent.{{ column }} = tested.{{ column }} and
            {%- endfor %}
            {{ is_recent('recent') }}
    )
    {%- endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
