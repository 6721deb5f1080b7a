-- The figures of `seeds/published_figures.csv` as the loaded rows give them, copies included: one
-- row per month (and 'all' for both), figure and category.
with

events as (

    select
        *,
        strftime(event_time, '%Y-%m') as month,
        coalesce(split_part(category_code, '.', 1), '(none)') as category
    from silver_layer.events_staged
    where event_time >= '2019-10-01' and event_time < '2019-12-01'

),

totals as (

    select
        coalesce(month, 'all') as month,
        count(*) as rows,
        count(*) filter (event_type = 'view') as views,
        count(*) filter (event_type = 'cart') as carts,
        count(*) filter (event_type = 'remove_from_cart') as cart_removals,
        count(*) filter (event_type = 'purchase') as purchases,
        coalesce(sum(price) filter (event_type = 'purchase'), 0) as revenue,
        count(distinct user_id) as users,
        count(distinct product_id) as products,
        count(distinct user_id) filter (event_type = 'purchase') as buyers,
        count(distinct category_id) as category_ids,
        count(distinct category_code) as category_codes,
        count(distinct brand) as brands,
        count(*) filter (user_session is null) as null_sessions,
        count(*) filter (category_code is null) as null_category_codes,
        count(*) filter (brand is null) as null_brands,
        count(*) filter (price = 0) as zero_price_rows,
        count(*) filter (price = 0 and event_type = 'purchase') as zero_price_purchases,
        count(*) filter (
            event_type = 'purchase' and cast(event_time as date) = '2019-11-15'
        ) as purchases_of_2019_11_15,
        max(price) as highest_price
    from events
    group by grouping sets ((month), ())

),

months_of_sessions as (

    select
        user_session,
        month,
        bool_or(event_type = 'view') as has_view,
        bool_or(event_type = 'cart') as has_cart,
        bool_or(event_type = 'purchase') as has_purchase
    from events
    where user_session is not null
    group by user_session, month

),

whole_sessions as (

    select
        'all' as month,
        bool_or(has_view) as has_view,
        bool_or(has_cart) as has_cart,
        bool_or(has_purchase) as has_purchase
    from months_of_sessions
    group by user_session

),

sessions as (

    select
        month,
        count(*) as sessions,
        count(*) filter (has_view) as sessions_with_view,
        count(*) filter (has_cart) as sessions_with_cart,
        count(*) filter (has_purchase) as sessions_with_purchase,
        count(*) filter (has_purchase and not has_cart) as sessions_with_purchase_without_cart
    from (
        select * exclude (user_session) from months_of_sessions
        union all by name
        select * from whole_sessions
    )
    group by month

),

duplicates as (

    select
        coalesce(strftime(event_time, '%Y-%m'), 'all') as month,
        count(*) as duplicates
    from silver_layer.events_quarantined
    where
        rejection_reason = 'duplicate'
        and event_time >= '2019-10-01'
        and event_time < '2019-12-01'
    group by grouping sets ((strftime(event_time, '%Y-%m')), ())

),

codes_of_categories as (

    select
        'all' as month,
        count(*) as category_ids_of_several_codes
    from (
        select category_id
        from events
        group by category_id
        having count(distinct coalesce(category_code, '')) > 1
    )

),

categories as (

    select
        month,
        category,
        count(*) as category_events,
        count(*) filter (event_type = 'cart') as category_carts,
        count(*) filter (event_type = 'purchase') as category_purchases,
        coalesce(sum(price) filter (event_type = 'purchase'), 0) as category_revenue
    from events
    group by month, category

),

found as (

    select
        month,
        '' as category,
        figure,
        found
    from (
        unpivot (
            select
                month,
                columns(* exclude (month))::decimal(18, 2)
            from totals
            full join sessions using (month)
            full join duplicates using (month)
            full join codes_of_categories using (month)
        ) on * exclude (month) into name figure value found
    )

    union all by name

    select
        month,
        category,
        figure,
        found
    from (
        unpivot (
            select
                month,
                category,
                columns(* exclude (month, category))::decimal(18, 2)
            from categories
        ) on * exclude (month, category) into name figure value found
    )

)

select
    published.month,
    published.figure,
    published.category,
    published.expected,
    coalesce(found.found, 0) as found,
    published.source
from read_csv(
    $published,
    types = {
        'month': 'varchar', 'figure': 'varchar', 'category': 'varchar',
        'expected': 'decimal(18,2)', 'source': 'varchar'
    },
    nullstr = 'null'
) as published
left join found using (month, figure, category)
where list_contains($months, published.month)
