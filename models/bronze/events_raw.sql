{{ config(
    enabled=var('declarative'),
    materialized='streaming_table',
    schema='bronze_layer',
    alias='events_landed',
) }}

with

file_lines as (

    select
        *,
        _metadata.file_path as _source_file
    from stream read_files(
        '/Volumes/{{ target.database }}/bronze_layer/raw_data/landing',
        format => 'csv',
        header => true,
        schema => '
            {%- for column in model.columns.values() if not column.name.startswith('_') -%}
                {{ column.name }} {{ column.data_type }}{{ ', ' if not loop.last }}
            {%- endfor -%}
        ',
        timestampformat => "yyyy-MM-dd HH:mm:ss 'UTC'",
        rescueddatacolumn => '_rescued_data'
    )

),

events_raw as (

    select
        *,
        current_timestamp() as _ingested_at
    from file_lines

)

select * from events_raw
