{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['product_id', 'event_date'],
    liquid_clustered_by=['event_date', 'product_id'],
    on_schema_change='fail',
) }}

-- depends_on: {{ ref('batch_totals') }}

with

days as (

    select
        product_id,
        event_date,
        min(event_time) as event_time,
        {% for state in var('product_states') %}
            min({{ state }}) as {{ state }},
            max({{ state }}) as highest_{{ state }},
            count({{ state }}) as {{ state }}_events,
        {% endfor %}
        count(*) as events,
        max(_batch_id) as _batch_id
    from {{ with_changed_keys(
        ref('events_cleaned'), ['product_id', 'event_date'],
        changed_in=ref('events_cleaned'), batch_column='_first_batch_id'
    ) }}
    group by product_id, event_date

),

judged_days as (

    -- On most days a product does not change, and its first event represents all of them.
    select
        *,
        {% for state in var('product_states') %}
            {{ state }} is not distinct from highest_{{ state }}
            and {{ state }}_events in (0, events){{ ' and' if not loop.last }}
        {% endfor %} as is_constant
    from days

),

changing_days as (
    select * from judged_days
    where not is_constant
),

seconds_of_changing_days as (

    -- Where a second has several prices, the event with the lowest id represents it, so that no
    -- period has zero length.
    select
        events.*,
        changing_days._batch_id as newest_batch_id,
        row_number() over (
            partition by events.product_id, events.event_time
            order by {{ event_key('events') }}
        ) as rank_in_second
    from {{ ref('events_cleaned') }} as events
    inner join changing_days
        on
            events.product_id = changing_days.product_id
            and events.event_date = changing_days.event_date

),

compared as (

    select
        *,
        {{ previous_states('product_id, event_date') }}
    from seconds_of_changing_days
    where rank_in_second = 1

),

product_daily_states as (

    {% for rows, condition, batch_id in [
        ('judged_days', 'is_constant', '_batch_id'),
        ('compared', is_new_state(), 'newest_batch_id'),
    ] %}
        select
            product_id,
            event_date,
            event_time,
            {{ var('product_states') | join(', ') }},
            {{ batch_id }} as _batch_id
        from {{ rows }}
        where {{ condition }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from product_daily_states
