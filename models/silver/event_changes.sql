{{ config(materialized='view') }}

-- depends_on: {{ ref('batch_totals') }}

with

current_events as (
    select * from {{ ref('events_cleaned') }}
),

earlier_versions as (
    -- A build that died half way may have kept versions here that it never replaced.
    select * from {{ ref('events_replaced') }}
    where _batch_id <= (select max(newest._batch_id) from {{ ref('events_cleaned') }} as newest)
),

event_changes as (

    {% for versions, sign, written_batch_id in [
        ('current_events', 1, '0'), ('earlier_versions', -1, '_written_batch_id'),
    ] %}
        select
            {{ event_columns() }},
            session_id,
            event_date,
            event_hour,
            {{ category_level(1) }} as category_l1,
            {{ category_level(2) }} as category_l2,
            {{ category_level(3) }} as category_l3,
            {{ sign }} as _sign,
            {{ written_batch_id }} as _written_batch_id,
            _batch_id
        from {{ versions }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from event_changes
