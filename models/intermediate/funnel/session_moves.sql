{{ config(
    materialized='incremental',
    incremental_strategy='accumulate',
    unique_key=['session_date', 'from_category_l1', 'to_category_l1'],
    on_schema_change='fail',
) }}

{#- Names of rows that are no category, here or in the funnel. #}
{%- set category -%}
    case
        when category_l1 in ('(all)', '(entry)', '(exit)') then '(none)'
        else coalesce(category_l1, '(none)')
    end
{%- endset %}

{#- Inlined: DuckDB materializes a CTE that is read twice, and all sessions are many. #}
{%- set sessions = since_last_batch(ref('sessions')) %}

with

events as (

    -- The feed has whole sessions of either sign. Five in six have one category, whose events need
    -- not be put in order; those that are taken back are few.
    select
        session_id,
        event_time,
        event_date,
        {{ category }} as category,
        _sign,
        _batch_id
    from {{ changes(ref('event_changes')) }}
    where
        _sign = -1
        or session_id in (
            select sessions.session_id from {{ sessions }} as sessions
            where sessions.single_category_l1 is null
        )

),

visits as (

    -- Within a second the order is not known: events of a category are one visit.
    select
        *,
        lag(category) over (
            partition by session_id, _sign order by event_time, category
        ) as previous_category,
        min(event_date) over (partition by session_id, _sign) as session_date
    from events

),

moves as (

    select
        session_date,
        coalesce(previous_category, '(entry)') as from_category_l1,
        category as to_category_l1,
        _sign,
        _batch_id
    from visits
    where category is distinct from previous_category

    union all

    select
        sessions.session_date,
        '(entry)' as from_category_l1,
        {{ category | replace('category_l1', 'sessions.single_category_l1') }} as to_category_l1,
        1 as _sign,
        sessions._batch_id
    from {{ sessions }} as sessions
    where sessions.single_category_l1 is not null

),

session_moves as (

    select
        session_date,
        from_category_l1,
        to_category_l1,
        cast(sum(_sign) as bigint) as steps,
        max(_batch_id) as _batch_id
    from moves
    group by session_date, from_category_l1, to_category_l1

)

select * from session_moves
