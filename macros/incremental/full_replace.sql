{% macro get_incremental_full_replace_sql(arg_dict) -%}
    {#- An incremental strategy: every row is replaced in one commit, in a table that keeps its
        policies, grants and history. -#}
    insert overwrite table {{ arg_dict['target_relation'] }} by name
    select * from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
