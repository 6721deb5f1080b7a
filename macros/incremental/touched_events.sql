{% macro updated_events() -%}
    {#- A tracker session has all of its events here, or none: events_cleaned writes them together. -#}
    {#- Nothing is built on the clean events before every bronze row is accounted for. -#}
    {%- do ref('events_quarantined') -%}
    select * from {{ ref('events_cleaned') }}
    where {{ newly_updated() }}
{%- endmacro %}

{% macro is_touched(rows, keys, by, is_fresh=none) -%}
    {#- By exists: DuckDB puts the aggregation of all rows below a join with their keys. It skips
        rows while it reads them by one key at a time, so each is asked for alone before all. -#}
    {%- set fresh = by ~ ' as fresh where ' ~ (is_fresh or newly_updated('fresh')) -%}
    {%- if is_incremental() -%}
    {%- for key in keys %}
    {{ rows }}.{{ key }} in (select fresh.{{ key }} from {{ fresh }}){{ ' and' if not loop.last }}
    {%- endfor %}
    {%- if keys | length > 1 %}
    and exists (
        select 1 from {{ fresh }}
        {%- for key in keys %}
            and fresh.{{ key }} = {{ rows }}.{{ key }}
        {%- endfor %}
    )
    {%- endif -%}
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro is_new(alias=none) -%}
    {{ is_above_watermark((alias ~ '.' if alias else '') ~ '_ingested_at', '_updated_at') }}
{%- endmacro %}

{% macro new_events() -%}
    {%- do ref('events_quarantined') -%}
    select * from {{ ref('events_cleaned') }}
    where {{ is_new() }}
{%- endmacro %}

{#- For a model that reads its events several times. The few of an update are its import `events`,
    kept in memory; all events would not fit there, so a whole build reads their table each time. -#}

{% macro import_if_incremental(events) -%}
    {%- if is_incremental() -%}
events as (
    {{ events }}
),
    {%- endif -%}
{%- endmacro %}

{% macro events_to_build() -%}
    {{ return('events' if is_incremental() else ref('events_cleaned')) }}
{%- endmacro %}

{% macro is_of_changed_session() -%}
    {%- if is_incremental() -%}
    session_id in (
        select updated_events.session_id from updated_events
        where {{ is_new('updated_events') }}
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro is_of_touched_day() -%}
    {%- if is_incremental() -%}
    session_date in (select touched_days.event_date from touched_days)
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
