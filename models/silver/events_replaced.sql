{{ config(
    materialized='incremental',
    incremental_strategy='insert_missing',
    unique_key=['event_id', '_written_batch_id'],
    on_schema_change='fail',
) }}

{%- set events_cleaned = events_of_the_last_build() %}

with

new_files as (
    select * from {{ ref('source_files') }}
    where _batch_id > {{ last_batch(events_cleaned) }}
),

new_tracker_sessions as (

    -- Of rejected rows too: to rewrite a tracker session without a new event changes nothing.
    select distinct
        user_id,
        {{ normalized_text('user_session', lower_case=false) }} as user_session
    from {{ rows_of_files(raw_events(), 'new_files') }} as new_raw_events

),

events_replaced as (

    select
        stored.event_id,
        stored.event_time,
        stored.event_type,
        stored.product_id,
        stored.category_id,
        stored.category_code,
        stored.brand,
        stored.price,
        stored.user_id,
        stored.user_session,
        stored._source_file,
        stored._ingested_at,
        stored._first_batch_id,
        stored._batch_id as _written_batch_id,
        (select max(new_files._batch_id) from new_files) as _batch_id,
        stored.session_id,
        stored.event_date,
        stored.event_hour,
        stored.category_l1,
        stored.category_l2,
        stored.category_l3
    from {{ events_cleaned }} as stored
    where {{ has_key_in('stored', ['user_id', 'user_session'], 'new_tracker_sessions') }}

)

select * from events_replaced
