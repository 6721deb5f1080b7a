{#- Inlined: DuckDB materializes a CTE that is read twice, and all events do not fit in memory. -#}
{%- set new_rows %}
    (
        select * from {{ ref('events_staged') }} as staged
        where _ingested_at in (select new_files._ingested_at from new_files)
    )
{%- endset %}

with

new_files as (
    select * from {{ since_last_batch(ref('source_files'), of='events_quarantined') }}
),

repeated as (

    -- Copies share time, user and product, as one row in a thousand does: only rows that share them
    -- with another new row or an earlier event are compared.
    select
        event_time,
        user_id,
        product_id
    from (
        select
            event_time,
            user_id,
            product_id
        from {{ new_rows }} as new_rows
        union all
        select
            event_time,
            user_id,
            product_id
        from {{ ref('events_replaced') }}
        where _batch_id >= (select min(new_files._batch_id) from new_files)
    ) as compared
    group by event_time, user_id, product_id
    having count(*) > 1

),

event_copies as (

    select
        -- In the order of events_staged, whose other rows events_quarantined adds.
        {{ event_columns('new_rows') }},
        new_rows.raw_event_type,
        new_rows.raw_category_code,
        new_rows.raw_brand,
        new_rows.raw_price,
        new_rows.raw_user_session,
        new_rows._rescued_data,
        new_rows._source_file,
        new_rows._ingested_at,
        new_rows.rejection_reasons,
        {{ event_key('new_rows') }} as event_id,
        row_number() over (
            partition by {{ event_columns('new_rows') }}
            order by
                new_rows._ingested_at, new_rows._source_file, new_rows.raw_event_type,
                new_rows.raw_category_code nulls first, new_rows.raw_brand nulls first,
                new_rows.raw_price, new_rows.raw_user_session, new_rows._rescued_data nulls first
        ) as copy_number
    from {{ new_rows }} as new_rows
    inner join repeated
        on
            new_rows.event_time = repeated.event_time
            and new_rows.user_id = repeated.user_id
            and new_rows.product_id = repeated.product_id
    where new_rows.rejection_reasons = ''

)

select * from event_copies
