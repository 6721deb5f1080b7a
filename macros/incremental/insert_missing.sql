{% macro get_incremental_insert_missing_sql(arg_dict) -%}
    {#- Inserts rows whose key is not stored yet; stored rows stay as they are. DuckDB skips parts
        of the table by the first key alone. -#}
    {%- set target, source = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- set keys = config.require('unique_key') %}
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
