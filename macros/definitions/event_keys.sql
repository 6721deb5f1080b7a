{#- Events with equal values in all nine normalized columns are one event. -#}

{% macro event_columns(relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    {{ prefix }}{{ [
        'event_time', 'event_type', 'product_id', 'category_id', 'category_code', 'brand', 'price',
        'user_id', 'user_session',
    ] | join(', ' ~ prefix) }}
{%- endmacro %}

{% macro event_key(relation=none) -%}
    {{ hash_key(event_columns(relation).split(', ')) }}
{%- endmacro %}

{% macro numbered_copies(new_rows, earlier_events) -%}
    {#- Copies share time, user and product, as one row in a thousand does: only rows that share
        them with another new row or an earlier event are compared. -#}
    select
        new_rows.*,
        row_number() over (
            partition by {{ event_columns('new_rows') }}
            order by
                new_rows._ingested_at, new_rows._source_file, new_rows.raw_event_type,
                new_rows.raw_category_code, new_rows.raw_brand, new_rows.raw_price,
                new_rows.raw_user_session
        ) as copy_number
    from {{ new_rows }} as new_rows
    inner join (
        select event_time, user_id, product_id
        from (
            select event_time, user_id, product_id from {{ new_rows }} as all_new_rows
            union all
            select event_time, user_id, product_id from {{ earlier_events }}
        ) as compared
        group by event_time, user_id, product_id
        having count(*) > 1
    ) as repeated
        on
            new_rows.event_time = repeated.event_time
            and new_rows.user_id = repeated.user_id
            and new_rows.product_id = repeated.product_id
    where new_rows.rejection_reasons = ''
{%- endmacro %}
