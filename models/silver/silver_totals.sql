{{ config(materialized='view') }}

with

bronze as (

    select
        count(*) as bronze_rows,
        max(_ingested_at) as newest_bronze_at
    from {{ ref('events_staged') }}

),

silver as (

    select
        (select max(source_files._ingested_at) from {{ ref('source_files') }} as source_files)
            as newest_silver_at,
        (select count(*) from {{ ref('events_cleaned') }}) as clean_rows

),

silver_totals as (

    select
        bronze.bronze_rows,
        silver.clean_rows,
        unix_timestamp(bronze.newest_bronze_at) - unix_timestamp(silver.newest_silver_at)
            as lag_seconds
    from bronze
    cross join silver

)

select * from silver_totals
