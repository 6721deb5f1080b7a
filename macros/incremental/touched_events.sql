{% macro is_touched(rows, keys, through_sessions=false) -%}
    {#- By exists: DuckDB puts the aggregation of all events below a join with their keys. A late
        event can split, join or move the sessions of its user and tracker id; where a table counts
        sessions, the keys of all events of these sessions are touched (`through_sessions`). -#}
    {%- set events = ref('events_cleaned') -%}
    {#- Nothing is built on the clean events before every bronze row is accounted for. -#}
    {%- do ref('events_quarantined') -%}
    {%- if not is_incremental() -%}
    true
    {%- else -%}
    exists (
        select 1 from {{ events }} as seen
        where
        {%- for key in keys %}
            seen.{{ key }} = {{ rows }}.{{ key }} and
        {%- endfor %}
        {%- if through_sessions %}
            exists (
                select 1 from {{ events }} as fresh
                where
                    fresh.user_id = seen.user_id
                    and fresh.user_session = seen.user_session
                    and {{ newly_ingested('fresh') }}
            )
        {%- else %}
            {{ newly_ingested('seen') }}
        {%- endif %}
    )
    {%- endif -%}
{%- endmacro %}

{% macro touched_events(keys, through_sessions=false) -%}
    {#- All events of the keys that new events touch, or all events where the table is built whole. -#}
    select events.*
    from {{ ref('events_cleaned') }} as events
    where {{ is_touched('events', keys, through_sessions) }}
{%- endmacro %}

{#- For a model that reads its events several times. The few of an update are its import `events`,
    kept in memory; all events would not fit there, so a whole build reads their table each time. -#}

{% macro import_touched_events(keys) -%}
    {%- set touched = touched_events(keys) -%}
    {%- if is_incremental() -%}
events as (
    {{ touched }}
),
    {%- endif -%}
{%- endmacro %}

{% macro events_to_build() -%}
    {{ return('events' if is_incremental() else ref('events_cleaned')) }}
{%- endmacro %}
