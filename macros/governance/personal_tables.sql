{% macro personal_tables() -%}
    {#- Sources and views take no tags, so the name of a column that is tagged anywhere counts. The
        graph has no nodes at parse time. -#}
    {%- set tagged, tables = [], [] -%}
    {%- set models = graph.nodes.values()
        | selectattr('resource_type', 'in', ['model', 'snapshot']) | list if execute else [] -%}
    {%- set sources = graph.sources.values()
        | selectattr('database', 'equalto', target.database) | list if execute else [] -%}
    {%- for node in models -%}
        {%- for column in node.columns.values()
            if 'personal' in column.get('databricks_tags', {}) -%}
            {%- do tagged.append(column.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for node in models + sources -%}
        {%- set columns = node.columns.keys() | select('in', tagged) | join(', ') -%}
        {%- if columns and node.relation_name -%}
            {%- do tables.append({'name': node.relation_name, 'columns': columns}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for table in tables | sort(attribute='name') %}
    ('{{ table.name | replace('`', '') | replace('"', '') }}', '{{ table.columns }}')
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
