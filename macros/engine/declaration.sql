{#- Before each update dbt-databricks asks eight times what a table is: its columns, keys, masks,
    filter, properties, comments. One DESCRIBE says all of it but tags. Only where that differs from
    the yml is the adapter asked, and repairs what has drifted. -#}

{% macro databricks__process_schema_changes(on_schema_change, source_relation, target_relation) -%}
    {#- process_config_changes comes next and sees the stored columns. -#}
{%- endmacro %}

{% macro process_config_changes(target_relation, existing_relation=none) -%}
    {%- set stored = fromjson(describe_table_extended_as_json(target_relation).rows[0][0]) -%}
    {%- set names = stored.columns | map(attribute='name') | list -%}
    {%- if names | sort != model.columns.keys() | sort -%}
        {%- do dbt.default__process_schema_changes(
            config.get('on_schema_change'), make_intermediate_relation(target_relation),
            target_relation
        ) -%}
    {%- endif -%}
    {%- if stored_table(stored) != declared_table() or not has_declared_tags(target_relation) -%}
        {%- do dbt.process_config_changes(target_relation, existing_relation) -%}
    {%- endif -%}
{%- endmacro %}

{% macro declared_table() -%}
    {%- set masks, comments, row_filter = {}, {}, config.get('row_filter') -%}
    {%- for name, column in model.columns.items() -%}
        {%- do comments.update({name: column.description}) -%}
        {%- if column.get('column_mask') -%}
            {%- do masks.update({name: column.column_mask.function}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set keys, required = [], [] -%}
    {%- if config.get('contract').enforced -%}
        {%- for constraint in model.constraints -%}
            {%- do keys.append([constraint.type | string, constraint.columns | list]) -%}
        {%- endfor -%}
        {%- for name, column in model.columns.items() if column.constraints -%}
            {%- do required.append(name) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return({
        'comment': model.description, 'comments': comments, 'masks': masks,
        'row_filter': [row_filter.function, row_filter.columns] if row_filter else none,
        'keys': keys, 'required': required | sort, 'properties': config.get('tblproperties'),
        'clustered_by': config.get('liquid_clustered_by') or [],
    }) }}
{%- endmacro %}

{% macro stored_table(stored) -%}
    {%- set masks, comments, keys, required = {}, {}, [], [] -%}
    {%- for mask in stored.column_masks or [] -%}
        {#- A mask that reads other columns is none of ours. -#}
        {%- do masks.update({mask.column_name: policy_name(mask)
            if not mask.using_column_names else mask}) -%}
    {%- endfor -%}
    {%- for column in stored.columns if column.name in model.columns -%}
        {%- do comments.update({column.name: column.comment or ''}) -%}
        {%- do required.append(column.name) if not column.nullable -%}
    {%- endfor -%}
    {%- for kind, columns in modules.re.findall(
        '(PRIMARY|FOREIGN) KEY \\(([^)]*)\\)', stored.table_constraints or ''
    ) -%}
        {%- do keys.append([kind | lower ~ '_key', columns.replace('`', '').split(', ')]) -%}
    {%- endfor -%}
    {%- set properties, held = {}, stored.table_properties or {} -%}
    {%- for name, value in held.items()
        if name in config.get('tblproperties') or name.startswith('delta.constraints.') -%}
        {%- do properties.update({name: value}) -%}
    {%- endfor -%}
    {{ return({
        'comment': stored.comment or '', 'comments': comments, 'masks': masks,
        'row_filter': [policy_name(stored.row_filter), stored.row_filter.column_names]
            if stored.row_filter else none,
        'keys': keys, 'required': required | sort, 'properties': properties,
        'clustered_by': fromjson(held.get('clusteringColumns', '[]')) | map('first') | list,
    }) }}
{%- endmacro %}

{% macro policy_name(policy) -%}
    {%- set name = policy.function_name -%}
    {{ return([name.catalog_name, name.schema_name, name.function_name] | join('.')) }}
{%- endmacro %}

{% macro has_declared_tags(relation) -%}
    {%- set declared, held = [], [] -%}
    {%- for column in model.columns.values() -%}
        {%- for tag, value in column.get('databricks_tags', {}).items() -%}
            {%- do declared.append([column.name, tag, value]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for row in (fetch_column_tags(relation).rows if declared else []) -%}
        {%- do held.append(row.values() | list) -%}
    {%- endfor -%}
    {{ return(not declared | reject('in', held) | list) }}
{%- endmacro %}
