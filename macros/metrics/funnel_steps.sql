{% macro first_step_times(partition) -%}
    {#- Window columns that both funnel grains need before they can aggregate. -#}
    min(case when event_type = 'view' then event_time end)
        over (partition by {{ partition }}) as first_view_at,
    min(case when event_type = 'purchase' then event_time end)
        over (partition by {{ partition }}) as first_purchase_at
{%- endmacro %}

{% macro funnel_steps() -%}
    {#- Reached: the step occurs at all. In order: each step at or after the one before it; events
        carry whole seconds, so steps within the same second count as in order. -#}
    {{ event_counts() }},
    min(first_view_at) as first_view_at,
    min(first_purchase_at) as first_purchase_at,
    min(case when event_type = 'cart' then event_time end) as first_cart_at,
    min(case when event_type = 'cart' and event_time >= first_view_at then event_time end)
        as first_cart_after_view_at,
    min(case when event_type = 'purchase' and event_time >= first_view_at then event_time end)
        as first_purchase_after_view_at,
    max(case when event_type = 'purchase' then event_time end) as last_purchase_at
{%- endmacro %}

{% macro funnel_columns() -%}
    {#- What sessions and session_categories keep of the steps, in their final types. -#}
    views,
    carts,
    cart_removals,
    purchases,
    revenue,
    first_view_at,
    first_cart_at,
    first_purchase_at,
    last_purchase_at,
    first_cart_after_view_at is not null as is_view_then_cart,
    coalesce(last_purchase_at >= first_cart_after_view_at, false)
        as is_view_cart_purchase_in_order,
    {{ seconds_between('first_view_at', 'first_cart_after_view_at') }} as seconds_to_cart,
    {{ seconds_between('first_view_at', 'first_purchase_after_view_at') }} as seconds_to_purchase
{%- endmacro %}

{% macro funnel_session_columns(relation) -%}
    {%- for column in [
        'views', 'carts', 'purchases', 'revenue', 'is_view_then_cart',
        'is_view_cart_purchase_in_order', 'seconds_to_cart', 'seconds_to_purchase',
    ] -%}
    {{ relation }}.{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro root_category() -%}
    case when category_l1 = '(all)' then '(none)' else coalesce(category_l1, '(none)') end
{%- endmacro %}
