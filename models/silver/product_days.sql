{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['product_id', 'event_date'],
    liquid_clustered_by=['event_date', 'product_id'],
    on_schema_change='fail',
) }}

{%- set states = ['category_id', 'category_code', 'brand', 'price'] %}
{%- set columns = ['product_id', 'event_date', 'event_time'] + states + ['_updated_at'] %}
{#- Asked for here, because dbt learns what a model reads where no run is incremental. -#}
{%- set fresh = new_events() %}

with

{% if is_incremental() %}
    new_events as (
        {{ fresh }}
    ),

    kept as (
        select kept.*
        from {{ this }} as kept
        where
            {{ is_touched(
                'kept', ['product_id', 'event_date'], by='new_events', is_fresh='true'
            ) }}
    ),

    shown as (

        -- A kept row shows what the events after it show: they are read only where a new event
        -- shows something else, or where the day had several states before.
        {% for rows in ['new_events', 'kept'] %}
            select
                {{ columns | join(', ') }}
            from {{ rows }}
            {{ 'union all' if not loop.last }}
        {% endfor %}

    ),
{% endif %}

days as (

    select
        product_id,
        event_date,
        min(event_time) as first_event_time,
        {% for state in states %}
            min({{ state }}) as {{ state }},
            max({{ state }}) as highest_{{ state }},
            count({{ state }}) as {{ state }}_events,
        {% endfor %}
        count(*) as all_events,
        max(_updated_at) as _updated_at
    from {{ 'shown' if is_incremental() else ref('events_cleaned') }}
    group by product_id, event_date

),

judged_days as (

    -- On most of its days a product does not change, and its first event stands for all.
    select
        *,
        {% for state in states %}
            {{ state }} is not distinct from highest_{{ state }}
            and {{ state }}_events in (0, all_events){{ ' and' if not loop.last }}
        {% endfor %} as is_constant
    from days

),

changing_days as (
    select * from judged_days
    where not is_constant
),

events as (
    select events.*
    from {{ ref('events_cleaned') }} as events
    where
        {{ is_touched(
            'events', ['product_id', 'event_date'], by='changing_days', is_fresh='true'
        ) }}
),

seconds_of_changing_days as (

    -- The data holds several prices within one second; one of them, the same on every run, stands
    -- for that second, so that no period has zero length.
    select
        events.product_id,
        events.event_date,
        events.event_time,
        {% for state in states %}
            events.{{ state }},
        {% endfor %}
        changing_days._updated_at,
        row_number() over (
            partition by events.product_id, events.event_time order by events.event_id
        ) as rank_in_second
    from events
    inner join changing_days
        on
            events.product_id = changing_days.product_id
            and events.event_date = changing_days.event_date

),

compared as (

    select
        *,
        {{ previous_states(states, 'product_id, event_date') }}
    from seconds_of_changing_days
    where rank_in_second = 1

),

product_days as (

    select
        product_id,
        event_date,
        first_event_time as event_time,
        {{ states | join(', ') }},
        _updated_at
    from judged_days
    where is_constant

    union all

    select
        {{ columns | join(', ') }}
    from compared
    where {{ is_new_state(states) }}

)

select * from product_days
