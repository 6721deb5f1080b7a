{{ config(materialized='view') }}

-- Models that count events wait until every bronze row is accounted for.
-- depends_on: {{ ref('events_quarantined') }}

with

current_events as (
    select * from {{ ref('events_cleaned') }}
),

earlier_versions as (
    -- A build that died half way may have kept versions here that it never replaced.
    select * from {{ ref('events_replaced') }}
    where _batch_id <= {{ last_batch(ref('events_cleaned')) }}
),

event_changes as (

    {% for versions, sign, is_current, batch_id in [
        ('current_events', 1, true, '_batch_id'),
        ('earlier_versions', 1, false, '_written_batch_id'),
        ('earlier_versions', -1, false, '_batch_id'),
    ] %}
        select
            {{ event_columns() }},
            event_id,
            session_id,
            event_date,
            event_hour,
            category_l1,
            category_l2,
            category_l3,
            {{ sign }} as _sign,
            {{ is_current | lower }} as _is_current,
            {{ batch_id }} as _batch_id
        from {{ versions }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from event_changes
