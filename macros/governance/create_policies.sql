{% macro create_policies(function) -%}
    {#- The pipeline is excepted: Databricks refuses an excepted principal nothing, neither a MERGE
        nor a refresh. -#}
    {%- set meta, schemas = model.config.meta, [] -%}
    {%- set key, value = (meta.column_mask_of or meta.row_filter_of).items() | first -%}
    {%- for node in graph.nodes.values()
        if node.columns.values() | selectattr('databricks_tags', 'defined') | list -%}
        {%- do schemas.append(node.schema) -%}
    {%- endfor -%}
    {%- for schema in schemas | unique | sort -%}
        {%- call statement('policy on ' ~ schema) -%}
            create or replace policy {{ function.identifier }}
            on schema `{{ function.database }}`.`{{ schema }}`
            {{ 'column mask' if meta.column_mask_of else 'row filter' }} {{ function }}
            to `account users` except ecommerce_pipeline
            for tables
            match columns has_tag_value('{{ key }}', '{{ value }}') as matched
            {{ 'on column matched' if meta.column_mask_of else 'using columns (matched)' }}
        {%- endcall -%}
    {%- endfor -%}
{%- endmacro %}
