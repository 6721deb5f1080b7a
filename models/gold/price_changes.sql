with

price_moves as (
    select * from {{ ref('price_moves') }}
),

price_window_counts as (
    select * from {{ ref('price_window_counts') }}
),

products_dim as (
    select * from {{ ref('products_dim') }}
),

counted as (

    -- A change with no complete day around it has no row in the windows.
    select
        price_moves.*,
        products_dim.category_l1,
        products_dim.category_code,
        products_dim.brand,
        {% for side in ['before', 'after'] %}
            {% for number in ['days', 'views', 'units', 'category_views', 'category_units'] %}
                coalesce(price_window_counts.{{ number }}_{{ side }}, 0)
                    as {{ number }}_{{ side }},
            {% endfor %}
        {% endfor %}
        cast(price_moves.price_after - price_moves.price_before as double) as price_difference
    from price_moves
    inner join products_dim on price_moves.product_id = products_dim.product_id
    left join price_window_counts
        on
            price_moves.product_id = price_window_counts.product_id
            and price_moves.changed_at = price_window_counts.changed_at

),

measured as (

    select
        *,
        {% for side in ['before', 'after'] %}
            {{ rate('units_' ~ side, 'views_' ~ side) }} as purchase_rate_{{ side }},
        {% endfor %}
        {{ midpoint_change('units', 'views') }} as rate_change,
        {{ midpoint_change('category_units', 'category_views') }} as category_rate_change
    from counted

),

price_changes as (

    select
        product_id,
        changed_at,
        changed_date,
        category_l1,
        category_code,
        brand,
        price_before,
        price_after,
        price_difference / cast(price_before as double) as price_change_rate,
        days_before,
        days_after,
        views_before,
        views_after,
        units_before,
        units_after,
        purchase_rate_before,
        purchase_rate_after,
        rate_change,
        category_rate_change,
        (rate_change - category_rate_change)
        / (2 * price_difference / cast(price_before + price_after as double)) as arc_elasticity
    from measured

)

select * from price_changes
