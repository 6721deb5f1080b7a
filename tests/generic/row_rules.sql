{% test row_rules(model, not_null=[], between={}, expressions=[]) %}
    {#- Checks every rule about a single row in one scan of the table; a failing row names its
        rules. Null passes `between`: a rate without a denominator is null. That the counts by type
        add up to all events holds as it is written while each type has a count. -#}
    {%- set rules = [] -%}
    {%- for column in not_null -%}
        {%- do rules.append((column ~ ' is null', column ~ ' is null')) -%}
    {%- endfor -%}
    {%- for column, limits in between.items() -%}
        {%- do rules.append((column ~ ' < ' ~ limits[0], column ~ ' below ' ~ limits[0])) -%}
        {%- if limits | length > 1 -%}
            {%- do rules.append((column ~ ' > ' ~ limits[1], column ~ ' above ' ~ limits[1])) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for expression in expressions | map('replace', *rule_of_event_counts()) -%}
        {%- do rules.append((
            'not coalesce(' ~ expression ~ ', false)', 'not (' ~ expression ~ ')'
        )) -%}
    {%- endfor %}
    select *
    from (
        select
            *,
            concat_ws('; '
            {%- for condition, name in rules %},
                case when {{ condition }} then '{{ name | replace("'", '"') }}' end
            {%- endfor %}
            ) as broken_rules
        from {{ model }}
    ) as judged
    where broken_rules <> ''
{% endtest %}
