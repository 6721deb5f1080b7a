{% macro personal_tables() -%}
    {#- Sources and views take no tags, so the name of a column that is tagged anywhere counts. The
        graph has no nodes at parse time. -#}
    {%- set ours, tagged, tables = [], [], [] -%}
    {%- set nodes, sources = (graph.nodes, graph.sources) if execute else ({}, {}) -%}
    {%- for node in nodes.values() if node.resource_type in ['model', 'snapshot'] -%}
        {%- do ours.append(node) -%}
        {%- for column in node.columns.values() if 'personal' in column.get('databricks_tags', {}) -%}
            {%- do tagged.append(column.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for source in sources.values() if source.database == target.database -%}
        {%- do ours.append(source) -%}
    {%- endfor -%}
    {%- for node in ours -%}
        {%- set columns = node.columns.keys() | select('in', tagged) | join(', ') -%}
        {%- if columns -%}
            {%- do tables.append({'name': node.relation_name, 'columns': columns}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for table in tables | sort(attribute='name') %}
    ('{{ table.name | replace('`', '') | replace('"', '') }}', '{{ table.columns }}')
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
