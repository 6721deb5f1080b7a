{% macro get_incremental_insert_missing_sql(arg_dict) -%}
    {#- Inserts rows whose key is not stored yet; stored rows stay as they are. -#}
    {{ return(adapter.dispatch('insert_missing_sql')(
        arg_dict['target_relation'], arg_dict['temp_relation'], config.require('unique_key')
    )) }}
{%- endmacro %}

{% macro default__insert_missing_sql(target, source, keys) -%}
    merge into {{ target }} as stored
    using {{ source }} as found
    on
        {%- for key in keys %}
        stored.{{ key }} <=> found.{{ key }}{{ ' and' if not loop.last }}
        {%- endfor %}
    when not matched then insert *
{%- endmacro %}

{% macro duckdb__insert_missing_sql(target, source, keys) -%}
    insert into {{ target }} by name
    select found.* from {{ source }} as found
    where not exists (
        select 1 from {{ target }} as stored
        where
            stored.{{ keys[0] }} in (select first_key.{{ keys[0] }} from {{ source }} as first_key)
            {%- for key in keys %}
            and stored.{{ key }} = found.{{ key }}
            {%- endfor %}
    )
{%- endmacro %}
