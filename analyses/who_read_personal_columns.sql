with

personal_tables as (

    select *
    from values {{ personal_tables() }}
        as named (relation_name, personal_columns)

),

reads as (

    select
        event_date,
        event_time,
        created_by as reader,
        entity_type,
        lower(source_table_full_name) as relation_name
    from system.access.table_lineage
    where
        event_date >= date_sub(current_date(), {{ var('audit_days') }})
        and source_table_full_name is not null

),

who_read_personal_columns as (

    select
        reads.event_date,
        reads.reader,
        reads.relation_name,
        personal_tables.personal_columns,
        coalesce(reads.entity_type, 'OTHER') as read_through,
        count(*) as times_read,
        min(reads.event_time) as first_read_at,
        max(reads.event_time) as last_read_at
    from reads
    inner join personal_tables on reads.relation_name = personal_tables.relation_name
    group by
        reads.event_date,
        reads.reader,
        reads.relation_name,
        personal_tables.personal_columns,
        coalesce(reads.entity_type, 'OTHER')

)

select * from who_read_personal_columns
order by event_date desc, reader asc, relation_name asc, read_through asc
