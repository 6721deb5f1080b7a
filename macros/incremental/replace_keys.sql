{% macro get_incremental_replace_keys_sql(arg_dict) -%}
    {#- Replaces the stored rows of each key that the model returns, in one commit. -#}
    {{ return(adapter.dispatch('replace_keys_sql')(arg_dict)) }}
{%- endmacro %}

{% macro default__replace_keys_sql(arg_dict) -%}
    {{ return(get_delete_insert_sql(arg_dict)) }}
{%- endmacro %}

{% macro duckdb__replace_keys_sql(arg_dict) -%}
    {#- `delete_keys_where` selects the rows that can have stored ones to replace: the fewer keys
        DuckDB looks up, the less it reads. -#}
    {%- set target, source = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- set keys = arg_dict['unique_key'] -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set delete_where = config.meta_get('delete_keys_where') -%}
    {%- set replaced = '(select * from ' ~ source ~ ' where ' ~ delete_where ~ ')'
        if delete_where else source %}
    delete from {{ target }} as stored
    where {{ has_key_in('stored', [keys] if keys is string else keys, replaced) }};
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ source }}
{%- endmacro %}
