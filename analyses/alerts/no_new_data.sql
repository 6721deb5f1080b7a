with

source_files as (
    select * from {{ ref('source_files') }}
),

loads as (

    select
        max(_ingested_at) as newest_load_at,
        (unix_timestamp(current_timestamp()) - unix_timestamp(max(_ingested_at))) / 3600
            as hours_without_load,
        {{ var('stale_after_hours') }} as allowed_hours
    from source_files

),

no_new_data as (

    select
        *,
        1 as findings
    from loads
    where newest_load_at is null or hours_without_load > allowed_hours

)

select * from no_new_data
