{#- A batch is a load, numbered in source_files. The watermark of a table is the newest batch among
    its own rows: both commit together, and a table that missed batches catches up. -#}

{% macro last_batch(relation) -%}
    (select coalesce(max(stored._batch_id), 0) from {{ relation }} as stored)
{%- endmacro %}

{% macro since_last_batch(relation, batch_column='_batch_id', of=none) -%}
    {%- if of -%}
    (select * from {{ relation }} where {{ batch_column }} > {{ last_batch(last_build(of)) }})
    {%- elif is_incremental() -%}
    (select * from {{ relation }} where {{ batch_column }} > {{ last_batch(this) }})
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro changes(feed) -%}
    {#- Exactly the difference to what this table counted: the versions that it has not seen, less
        the one version of each that it has. Versions that came and went since are in neither. -#}
    {%- if is_incremental() -%}
    (
        select * from {{ feed }}
        where _batch_id > {{ last_batch(this) }} and _written_batch_id <= {{ last_batch(this) }}
    )
    {%- else -%}
    (select * from {{ feed }} where _sign = 1)
    {%- endif -%}
{%- endmacro %}

{% macro with_changed_keys(relation, keys, changed_in, batch_column='_batch_id') -%}
    {%- if is_incremental() -%}
    (
        select stored.* from {{ relation }} as stored
        where {{ has_key_in('stored', keys, since_last_batch(changed_in, batch_column)) }}
    )
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro has_key_in(rows, keys, others) -%}
    {#- DuckDB skips row groups by a single key, but joins every row by several: so each key is
        first looked up alone. `exists`, because a join would move below an aggregation. -#}
    {%- for key in keys %}
    {{ rows }}.{{ key }} in (select others.{{ key }} from {{ others }} as others)
    {{- ' and' if not loop.last }}
    {%- endfor %}
    {%- if keys | length > 1 %}
    and exists (
        select 1 from {{ others }} as others
        where
        {%- for key in keys %}
            others.{{ key }} = {{ rows }}.{{ key }}{{ ' and' if not loop.last }}
        {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}

{% macro differs_from_stored(rows, key, columns, stored_where='true') -%}
    {#- A run changes few of millions of users; the others are not rewritten. -#}
    {%- if is_incremental() or (model.resource_type == 'snapshot' and load_relation(this)) -%}
    not exists (
        select 1 from {{ this }} as stored
        where
            stored.{{ key }} = {{ rows }}.{{ key }}
            {%- for column in columns %}
            and stored.{{ column }} is not distinct from {{ rows }}.{{ column }}
            {%- endfor %}
            and {{ stored_where }}
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro last_build(model_name) -%}
    {#- A table of ours as the last build left it. Not a ref, which would be a cycle: the table is
        built from the model that asks. -#}
    {%- set node = graph.nodes['model.ecommerce_analytics.' ~ model_name] if execute -%}
    {%- set table = load_relation(this.incorporate(path={
        'schema': node.schema, 'identifier': model_name,
    })) if execute and not flags.FULL_REFRESH -%}
    {%- if table or not execute -%}
    {{ table }}
    {%- else -%}
    (
        select
        {%- for column in node.columns.values() %}
            cast(null as {{ column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
        limit 0
    )
    {%- endif -%}
{%- endmacro %}
