with

counted_days as (

    select
        window_days.*,
        coalesce(own.views, 0) as views,
        coalesce(own.purchases, 0) as units,
        coalesce(category.views, 0) - coalesce(own.views, 0) as category_views,
        coalesce(category.purchases, 0) - coalesce(own.purchases, 0) as category_units
    from {{ ref('price_windows') }} as window_days
    left join {{ ref('product_days') }} as own
        on window_days.product_id = own.product_id and window_days.event_date = own.event_date
    left join {{ ref('category_days') }} as category
        on window_days.category = category.category and window_days.event_date = category.event_date

),

price_window_counts as (

    select
        {% for side, is_side in [('before', 'is_before'), ('after', 'not is_before')] %}
            count(case when {{ is_side }} then 1 end) as days_{{ side }},
            {% for number in ['views', 'units', 'category_views', 'category_units'] %}
                cast(sum(case when {{ is_side }} then {{ number }} else 0 end) as bigint)
                    as {{ number }}_{{ side }},
            {% endfor %}
        {% endfor %}
        product_id,
        changed_at
    from counted_days
    group by product_id, changed_at

)

select * from price_window_counts
