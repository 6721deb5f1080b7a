{% macro get_incremental_full_replace_sql(arg_dict) -%}
    {#- Replaces every row in one commit; the table keeps its policies, grants and history. -#}
    insert overwrite table {{ arg_dict['target_relation'] }} by name
    select * from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
