{% macro count_where(condition) -%}
    {#- 0, not null, where nothing matches; DuckDB's sum of integers would be a 128-bit type. -#}
    cast(sum(case when {{ condition }} then 1 else 0 end) as bigint)
{%- endmacro %}

{% macro event_counts() -%}
    {{ count_where("event_type = 'view'") }} as views,
    {{ count_where("event_type = 'cart'") }} as carts,
    {{ count_where("event_type = 'remove_from_cart'") }} as cart_removals,
    {{ count_where("event_type = 'purchase'") }} as purchases,
    cast(sum(case when event_type = 'purchase' then price else 0 end) as decimal(18, 2)) as revenue
{%- endmacro %}

{% macro sum_event_counts() -%}
    cast(sum(views) as bigint) as views,
    cast(sum(carts) as bigint) as carts,
    cast(sum(cart_removals) as bigint) as cart_removals,
    cast(sum(purchases) as bigint) as purchases,
    cast(sum(revenue) as decimal(18, 2)) as revenue
{%- endmacro %}
