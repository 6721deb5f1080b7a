{% macro get_incremental_accumulate_sql(arg_dict) -%}
    {#- Adds signed counts to the stored ones by key. A key whose counts all become 0 is deleted: a
        full refresh would not have it. -#}
    {%- set keys = arg_dict['unique_key'] or config.require('unique_key') -%}
    {%- set keys = [keys] if keys is string else keys -%}
    {%- set counts = model.columns.values() | rejectattr('name', 'in', keys + ['_batch_id']) | list -%}
    {{ return(adapter.dispatch('accumulate_sql')(
        arg_dict['target_relation'], arg_dict['temp_relation'], keys, counts
    )) }}
{%- endmacro %}

{% macro default__accumulate_sql(target, changes, keys, counts) -%}
    merge into {{ target }} as stored
    using {{ changes }} as changed
    on
        {%- for key in keys %}
        stored.{{ key }} <=> changed.{{ key }}{{ ' and' if not loop.last }}
        {%- endfor %}
    when matched and {% for count in counts -%}
        stored.{{ count.name }} + changed.{{ count.name }} = 0{{ ' and ' if not loop.last }}
    {%- endfor %} then delete
    when matched then update set
        {%- for count in counts %}
        {{ count.name }} = stored.{{ count.name }} + changed.{{ count.name }},
        {%- endfor %}
        _batch_id = changed._batch_id
    when not matched and ({% for count in counts -%}
        changed.{{ count.name }} <> 0{{ ' or ' if not loop.last }}
    {%- endfor %}) then insert *
{%- endmacro %}

{% macro duckdb__accumulate_sql(target, changes, keys, counts) -%}
    {%- set sums = target.identifier ~ '__sums' -%}
    {%- set names = counts | map(attribute='name') | list -%}
    {%- set columns = (keys + names + ['_batch_id']) | join(', ') %}
    create or replace temp table {{ sums }} as
    select
        {{ keys | join(', ') }},
        {%- for count in counts %}
        cast(sum({{ count.name }}) as {{ count.data_type }}) as {{ count.name }},
        {%- endfor %}
        max(_batch_id) as _batch_id
    from (
        select {{ columns }} from {{ changes }}
        union all
        select {{ columns }} from {{ target }} as stored
        where {{ has_key_in('stored', keys, changes) }}
    ) as stored_and_changed
    group by {{ keys | join(', ') }};
    delete from {{ target }} as stored
    where {{ has_key_in('stored', keys, changes) }};
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ sums }}
    where {{ names | join(' <> 0 or ') }} <> 0;
    drop table {{ sums }}
{%- endmacro %}
