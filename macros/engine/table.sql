{#- dbt-duckdb asks for indexes and foreign keys, which no table of ours has, and moves the old table
    aside before it drops it: nine statements, here five. The new table replaces the old one in one
    transaction; a Python model commits its table before that, under another name. -#}

{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- if graph.is_unchanged -%}
        {{ return(keep()) }}
    {%- endif -%}
    {%- set existing, target_relation = load_cached_relation(this), this.incorporate(type='table') -%}
    {%- set built = make_intermediate_relation(target_relation) -%}
    {%- for left in [built, make_backup_relation(target_relation, 'table')] -%}
        {%- do drop_relation_if_exists(load_cached_relation(left)) -%}
    {%- endfor -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main', language=model.language) -%}
        {{ create_table_as(false, built, compiled_code, model.language) }}
    {%- endcall -%}
    {%- call statement('replace') -%}
        {{ 'drop ' ~ existing.type ~ ' ' ~ existing ~ ';' if existing }}
        alter table {{ built }} rename to {{ this.include(database=false, schema=false) }}
    {%- endcall -%}
    {%- do adapter.cache_dropped(existing) if existing -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}
