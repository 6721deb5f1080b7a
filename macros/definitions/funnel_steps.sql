{% macro shopping_steps(events, keys) -%}
{#- CTEs that end in `shopping_steps`: the funnel of sessions with more than views, one in eight. A
    session reaches a step that occurs at all, and passes it in order at or after the step before:
    event times are whole seconds, so steps within one second count as in order. -#}
{%- set by_key = keys | join(', ') -%}
shopping as (

    select
        events.*,
        min(case when event_type = 'view' then event_time end)
            over (partition by {{ by_key }}) as first_view_at,
        min(case when event_type = 'purchase' then event_time end)
            over (partition by {{ by_key }}) as first_purchase_at
    from {{ events }} as events
    where
        session_id in (
            select shoppers.session_id from {{ events }} as shoppers
            where shoppers.event_type <> 'view'
        )

),

shopping_steps as (

    select
        {{ by_key }},
        {{ event_counts() }},
        min(first_view_at) as first_view_at,
        min(first_purchase_at) as first_purchase_at,
        min(case when event_type = 'cart' then event_time end) as first_cart_at,
        max(case when event_type = 'purchase' then event_time end) as last_purchase_at,
        min(case when event_type = 'cart' and event_time >= first_view_at then event_time end)
            as first_cart_after_view_at,
        min(case when event_type = 'purchase' and event_time >= first_view_at then event_time end)
            as first_purchase_after_view_at,
        -- Of two purchases within one second the lower product id counts, on every engine.
        min(case
            when event_type = 'purchase' and event_time = first_purchase_at then product_id
        end) as first_purchased_product_id
    from shopping
    group by {{ by_key }}

)
{%- endmacro %}

{% macro funnel_columns(viewed) -%}
    {#- A session or category without a row in shopping_steps has views only. -#}
    coalesce(shopping_steps.views, {{ viewed }}.events) as views,
    coalesce(shopping_steps.carts, 0) as carts,
    coalesce(shopping_steps.cart_removals, 0) as cart_removals,
    coalesce(shopping_steps.purchases, 0) as purchases,
    cast(coalesce(shopping_steps.revenue, 0) as decimal(18, 2)) as revenue,
    case
        when shopping_steps.session_id is null then {{ viewed }}.started_at
        else shopping_steps.first_view_at
    end as first_view_at,
    shopping_steps.first_cart_at,
    shopping_steps.first_purchase_at,
    shopping_steps.last_purchase_at,
    shopping_steps.first_cart_after_view_at is not null as is_view_then_cart,
    coalesce(shopping_steps.last_purchase_at >= shopping_steps.first_cart_after_view_at, false)
        as is_view_cart_purchase_in_order,
    {%- for step in ['cart', 'purchase'] %}
    unix_timestamp(shopping_steps.first_{{ step }}_after_view_at)
    - unix_timestamp(shopping_steps.first_view_at)
        as seconds_to_{{ step }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro funnel_conditions() -%}
    {{ return({
        'sessions': 'true',
        'sessions_with_view': 'views > 0',
        'sessions_with_cart': 'carts > 0',
        'sessions_with_purchase': 'purchases > 0',
        'sessions_view_then_cart': 'is_view_then_cart',
        'sessions_view_cart_purchase_in_order': 'is_view_cart_purchase_in_order',
        'sessions_with_cart_and_purchase': 'carts > 0 and purchases > 0',
        'sessions_purchase_without_cart': 'carts = 0 and purchases > 0',
    }) }}
{%- endmacro %}
