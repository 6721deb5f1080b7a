{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='product_id',
    liquid_clustered_by=['product_id'],
    on_schema_change='fail',
) }}

{%- set session_counts = {
    'view_sessions': 'views > 0',
    'cart_sessions': 'carts > 0',
    'purchase_sessions': 'purchases > 0',
    'view_and_cart_sessions': 'views > 0 and carts > 0',
    'view_and_purchase_sessions': 'views > 0 and purchases > 0',
    'cart_and_purchase_sessions': 'carts > 0 and purchases > 0',
} %}

with

events as (
    {{ updated_events() }}
),

session_products as (

    select
        product_id,
        session_id,
        {{ event_counts() }},
        max(_updated_at) as _updated_at
    from events
    group by product_id, session_id

),

{% if is_incremental() %}
    events_before as (
        select * from events
        where not {{ is_new() }}
    ),

    {{ session_starts('events_before') }},

    sessions_before as (

        -- What the updated tracker sessions have counted for, in the sessions that they had then.
        select
            events_before.product_id,
            events_before.event_type,
            events_before.price,
            events_before._updated_at,
            {{ session_id('events_before') }} as session_id
        from events_before
        {{ join_session_starts('events_before') }}

    ),

    session_products_before as (

        select
            product_id,
            session_id,
            {{ event_counts() }},
            max(_updated_at) as _updated_at
        from sessions_before
        group by product_id, session_id

    ),
{% endif %}

changes as (

    select
        *,
        1 as sign
    from session_products

    {% if is_incremental() %}
        union all

        select
            *,
            -1 as sign
        from session_products_before
    {% endif %}

),

counted as (

    select
        product_id,
        {% for count in event_count_names() %}
            cast(sum(sign * {{ count }}) as {{ count_type(count) }}) as {{ count }},
        {% endfor %}
        {% for name, condition in session_counts.items() %}
            cast(sum(case when {{ condition }} then sign else 0 end) as bigint) as {{ name }},
        {% endfor %}
        max(_updated_at) as _updated_at
    from changes
    group by product_id

),

product_totals as (
    {{ add_to_kept_counts(
        'counted', ['product_id'], event_count_names() + session_counts.keys() | list
    ) }}
)

select * from product_totals
