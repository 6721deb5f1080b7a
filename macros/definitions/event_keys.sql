{#- Events with equal values in all nine normalized columns are one event. -#}

{% macro event_columns(relation=none) -%}
    {%- for column in [
        'event_time', 'event_type', 'product_id', 'category_id', 'category_code', 'brand', 'price',
        'user_id', 'user_session',
    ] -%}
    {{ relation ~ '.' if relation }}{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro event_key(relation=none) -%}
    {{ hash_key(event_columns(relation).split(', ')) }}
{%- endmacro %}

{% macro numbered_copies(staged_rows, among) -%}
    {#- Copies share time, user and product, as one row in a thousand does: only rows that share
        them with another row of `among` are compared. -#}
    select
        staged.*,
        row_number() over (
            partition by {{ event_columns('staged') }}
            order by
                staged._ingested_at, staged._source_file, staged.raw_event_type,
                staged.raw_category_code, staged.raw_brand, staged.raw_price,
                staged.raw_user_session
        ) as copy_number
    from {{ staged_rows }} as staged
    inner join (
        select event_time, user_id, product_id
        from (
            {%- for relation in among %}
            select event_time, user_id, product_id from {{ relation }} as compared
            {{- ' union all' if not loop.last }}
            {%- endfor %}
        ) as all_compared
        group by event_time, user_id, product_id
        having count(*) > 1
    ) as repeated
        on
            staged.event_time = repeated.event_time
            and staged.user_id = repeated.user_id
            and staged.product_id = repeated.product_id
    where staged.rejection_reasons = ''
{%- endmacro %}
