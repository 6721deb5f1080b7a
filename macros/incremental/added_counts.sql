{% macro add_to_kept_counts(counted, keys, counts) -%}
    {#- Counts of what is new are added to what stands: no older row is read. -#}
    {%- if not is_incremental() -%}
    select * from {{ counted }}
    {%- else -%}
    {%- set by_key = keys | join(', ') -%}
    select
        {{ by_key }},
        {%- for count in counts %}
        cast(sum({{ count }}) as {{ count_type(count) }}) as {{ count }},
        {%- endfor %}
        max(_updated_at) as _updated_at
    from (
        select * from {{ counted }}
        union all
        select kept.* from {{ this }} as kept
        where exists (
            select 1 from {{ counted }} as fresh
            where
            {%- for key in keys %}
                fresh.{{ key }} = kept.{{ key }}{{ ' and' if not loop.last }}
            {%- endfor %}
        )
    ) as new_and_kept
    group by {{ by_key }}
    {%- endif -%}
{%- endmacro %}
