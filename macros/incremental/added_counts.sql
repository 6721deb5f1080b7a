{% macro add_to_kept_counts(counted, keys) -%}
    {#- Counts of new events are added to what stands: no older event is read. -#}
    {%- if not is_incremental() -%}
    select * from {{ counted }}
    {%- else -%}
    {%- set by_key = keys | join(', ') -%}
    select
        {{ by_key }},
        cast(sum(events) as bigint) as events,
        {{ sum_event_counts() }},
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
