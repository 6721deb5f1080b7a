{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['product_id', 'event_date'],
    liquid_clustered_by=['event_date', 'product_id'],
    on_schema_change='fail',
) }}

{%- set states = ['category_id', 'category_code', 'brand', 'price'] %}

with

{{ import_if_incremental(touched_events(['product_id', 'event_date'], is_new('fresh'))) }}

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
        count(*) as events,
        max(_updated_at) as _updated_at
    from {{ events_to_build() }}
    group by product_id, event_date

),

judged_days as (

    -- On most of its days a product does not change, and its first event stands for all.
    select
        *,
        {% for state in states %}
            {{ state }} is not distinct from highest_{{ state }}
            and {{ state }}_events in (0, events){{ ' and' if not loop.last }}
        {% endfor %} as is_constant
    from days

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
        judged_days._updated_at,
        row_number() over (
            partition by events.product_id, events.event_time order by events.event_id
        ) as rank_in_second
    from {{ events_to_build() }} as events
    inner join judged_days
        on
            events.product_id = judged_days.product_id
            and events.event_date = judged_days.event_date
    where not judged_days.is_constant

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
        product_id,
        event_date,
        event_time,
        {{ states | join(', ') }},
        _updated_at
    from compared
    where {{ is_new_state(states) }}

)

select * from product_days
