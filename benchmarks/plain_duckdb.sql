-- The silver and gold tables in one pass over the CSV files, without dbt, updates or tests: the
-- limit that the platform is compared with. Written to win: what only feeds other tables is not
-- kept, and there is no load time. `python -m benchmarks.plain FOLDER DATABASE` runs it: it sets
-- `landing`, a glob of the files, and a variable for each var of dbt_project.yml.

-- step: raw
create table raw as
select
    * exclude (filename),
    filename as _source_file
from read_csv(
    getvariable('landing'),
    header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', filename = true,
    timestampformat = '%Y-%m-%d %H:%M:%S UTC',
    columns = {
        'event_time': 'timestamp', 'event_type': 'varchar', 'product_id': 'bigint',
        'category_id': 'bigint', 'category_code': 'varchar', 'brand': 'varchar', 'price': 'double',
        'user_id': 'bigint', 'user_session': 'varchar'
    }
);

create macro trimmed(text) as
    case
        when
            contains(text, ' ') or contains(text, chr(9)) or contains(text, chr(10))
            or contains(text, chr(13)) or contains(text, chr(160))
            then trim(text, ' ' || chr(9) || chr(10) || chr(13) || chr(160))
        else text
    end;
create macro known(text) as
    case when text <> '' and lower(text) not in getvariable('null_words') then text end;
create macro rate(part, whole) as case when whole > 0 then part::double / whole::double end;
create macro money_average(total, number) as
    case when number > 0
        then ((floor(((total::decimal(38, 2) * 200)::double + number) / (2 * number))
        )::decimal(18, 0) * 0.01)::decimal(18, 2)
    end;
create macro score_at_most(value, limits) as
    case
        when value is null then null
        when value <= limits[1] then 5
        when value <= limits[2] then 4
        when value <= limits[3] then 3
        when value <= limits[4] then 2
        else 1
    end;
create macro score_at_least(value, limits) as
    case
        when value >= limits[1] then 5
        when value >= limits[2] then 4
        when value >= limits[3] then 3
        when value >= limits[4] then 2
        else 1
    end;
create macro is_longer_than_the_gap(start_at, end_at) as
    coalesce(
        date_diff('second', start_at, end_at) > getvariable('session_gap_minutes') * 60, false
    );
create macro hash_of_session(user_id, user_session, started_at) as
    md5(concat_ws(chr(31), user_id::varchar, user_session, started_at::varchar));
create macro hash_of_event(event) as
    md5(concat_ws(
        chr(31), event.event_time::varchar, event.event_type, event.product_id::varchar,
        event.category_id::varchar, coalesce(event.category_code, ''), coalesce(event.brand, ''),
        event.price::varchar, event.user_id::varchar, event.user_session
    ));
create macro level(number, category_code) as nullif(split_part(category_code, '.', number), '');

create macro normalized(rows) as table
select
    event_time,
    known(lower_event_type) as event_type,
    product_id,
    category_id,
    known(lower_category_code) as category_code,
    known(lower_brand) as brand,
    (try_cast(round(price * 100) as decimal(17, 0)) * 0.01)::decimal(18, 2) as price,
    user_id,
    known(trimmed_user_session) as user_session,
    event_type as raw_event_type,
    category_code as raw_category_code,
    brand as raw_brand,
    price as raw_price,
    user_session as raw_user_session,
    _source_file,
    coalesce(
        event_time < getvariable('earliest_event_date')::timestamp
        or event_time > now()::timestamp + interval 1 day, true
    ) as has_invalid_time,
    coalesce(
        (try_cast(round(price * 100) as decimal(17, 0)) * 0.01)::decimal(18, 2)
        > getvariable('highest_price')
        or price < 0, true
    ) as has_invalid_price
from (
    select
        *,
        lower(trimmed(event_type)) as lower_event_type,
        lower(trimmed(category_code)) as lower_category_code,
        lower(trimmed(brand)) as lower_brand,
        trimmed(user_session) as trimmed_user_session
    from query_table(rows)
);

create macro judged(rows) as table
select
    *,
    not (
        has_invalid_time
        or has_invalid_price
        or coalesce(event_type not in getvariable('event_types'), true)
        or coalesce(product_id, 0) <= 0
        or coalesce(category_id, 0) <= 0
        or coalesce(user_id, 0) <= 0
        or user_session is null
        or (event_type = 'purchase' and price = 0)
    ) as is_valid
from normalized(rows);

-- step: source_files
create table source_files as
select _source_file, count(*) as raw_rows
from raw
group by _source_file;

-- step: copies
create table repeated as
from raw
semi join (
    select event_time, user_id, product_id
    from raw
    group by all
    having count(*) > 1
) using (event_time, user_id, product_id);

create table copies as
select
    *,
    row_number() over (
        partition by event_time, event_type, product_id, category_id, category_code, brand, price,
            user_id, user_session
        order by
            _source_file, raw_event_type, raw_category_code, raw_brand, raw_price, raw_user_session
    ) as copy_number
from judged('repeated')
where is_valid;

drop table repeated;

-- step: events_quarantined
create table events_quarantined as
select
    event_time, raw_event_type as event_type, product_id, category_id,
    raw_category_code as category_code, raw_brand as brand, raw_price as price, user_id,
    raw_user_session as user_session, _source_file, rejection_reasons,
    split_part(rejection_reasons, ',', 1) as rejection_reason
from (
    select
        *,
        concat_ws(',',
            case when has_invalid_time then 'invalid_event_time' end,
            case when event_type is null or event_type not in getvariable('event_types')
                then 'unknown_event_type' end,
            case when coalesce(product_id, 0) <= 0 then 'missing_product_id' end,
            case when coalesce(category_id, 0) <= 0 then 'missing_category_id' end,
            case when coalesce(user_id, 0) <= 0 then 'missing_user_id' end,
            case when user_session is null then 'missing_user_session' end,
            case when has_invalid_price then 'invalid_price' end,
            case when event_type = 'purchase' and price = 0 then 'zero_price_purchase' end
        ) as rejection_reasons
    from judged('raw')
    where not is_valid
    union all by name
    select * exclude (copy_number), 'duplicate' as rejection_reasons
    from copies
    where copy_number > 1
);

-- step: session_starts
create table session_starts as
with spans as (
    select user_id, user_session, min(event_time) as first_time, max(event_time) as last_time
    from judged('raw')
    where is_valid
    group by all
    having first_time < last_time
),

long_ones as (
    from spans
    where is_longer_than_the_gap(first_time, last_time)
),

starts as (
    select
        user_id, user_session, event_time as started_at,
        lead(event_time, 1, '9999-12-31'::timestamp) over (
            partition by user_id, user_session order by event_time
        ) as next_started_at
    from (
        select
            user_id, user_session, event_time,
            lag(event_time) over (
                partition by user_id, user_session order by event_time
            ) as previous_time
        from judged('raw')
        semi join long_ones using (user_id, user_session)
        where is_valid
    )
    where previous_time is null or is_longer_than_the_gap(previous_time, event_time)
    union all
    select user_id, user_session, first_time, '9999-12-31'::timestamp
    from spans
    where not is_longer_than_the_gap(first_time, last_time)
)

select *, hash_of_session(user_id, user_session, started_at) as session_id
from starts;

-- step: events_cleaned
-- DuckDB expects few valid events, and would build its hash table of them instead of the starts.
set disabled_optimizers = 'build_side_probe_side';

create table events_cleaned as
with unique_events as (
    from judged('raw')
    anti join copies using (event_time, user_id, product_id)
    where is_valid
    union all by name
    select * exclude (copy_number)
    from copies
    where copy_number = 1
)

select
    event.event_time, event.event_type, event.product_id, event.category_id, event.category_code,
    event.brand, event.price, event.user_id, event.user_session, event._source_file,
    coalesce(
        start.session_id,
        hash_of_session(event.user_id, event.user_session, event.event_time)
    ) as session_id,
    event.event_time::date as event_date,
    extract(hour from event.event_time)::int as event_hour
from unique_events as event
left join session_starts as start
    on
        event.user_id = start.user_id
        and event.user_session = start.user_session
        and event.event_time >= start.started_at
        and event.event_time < start.next_started_at;

reset disabled_optimizers;
drop table session_starts;
drop table copies;

-- step: shopping
create table shopping as
select
    session_id, event_time, event_type, product_id, price,
    coalesce(nullif(level(1, category_code), '(all)'), '(none)') as category_l1
from events_cleaned
where session_id in (select session_id from events_cleaned where event_type <> 'view');

create macro steps_of(by_category) as table
select
    session_id,
    case when by_category then category_l1 end as category_l1,
    count(*) filter (event_type = 'view') as views,
    count(*) filter (event_type = 'cart') as carts,
    count(*) filter (event_type = 'remove_from_cart') as cart_removals,
    count(*) filter (event_type = 'purchase') as purchases,
    coalesce(sum(price) filter (event_type = 'purchase'), 0)::decimal(18, 2) as revenue,
    min(first_view_at) as first_view_at,
    min(event_time) filter (event_type = 'cart') as first_cart_at,
    min(first_purchase_at) as first_purchase_at,
    max(event_time) filter (event_type = 'purchase') as last_purchase_at,
    min(event_time) filter (event_type = 'cart' and event_time >= first_view_at) as cart_after,
    min(event_time) filter (event_type = 'purchase' and event_time >= first_view_at) as sale_after,
    min(product_id) filter (event_type = 'purchase' and event_time = first_purchase_at)
        as first_purchased_product_id
from (
    select
        *,
        min(event_time) filter (event_type = 'view') over session as first_view_at,
        min(event_time) filter (event_type = 'purchase') over session as first_purchase_at
    from shopping
    window session as (partition by session_id, case when by_category then category_l1 end)
)
group by all;

-- step: sessions
create table sessions as
with viewed as (
    select
        session_id,
        any_value(user_id) as user_id,
        min(event_time) as started_at,
        max(event_time) as ended_at,
        count(*) as events,
        len(list_distinct(list(product_id))) as products,
        min(coalesce(nullif(level(1, category_code), '(all)'), '(none)')) as lowest,
        max(coalesce(nullif(level(1, category_code), '(all)'), '(none)')) as highest
    from events_cleaned
    group by session_id
)

select
    session_id, user_id, started_at::date as session_date, started_at, ended_at,
    date_diff('second', started_at, ended_at) as duration_seconds,
    events, products,
    case when lowest = highest then lowest end as single_category_l1,
    coalesce(views, events) as views,
    coalesce(carts, 0) as carts,
    coalesce(cart_removals, 0) as cart_removals,
    coalesce(purchases, 0) as purchases,
    coalesce(revenue, 0)::decimal(18, 2) as revenue,
    case when views is null then started_at else first_view_at end as first_view_at,
    first_cart_at, first_purchase_at, last_purchase_at,
    cart_after is not null as is_view_then_cart,
    coalesce(last_purchase_at >= cart_after, false) as is_view_cart_purchase_in_order,
    date_diff('second', first_view_at, cart_after) as seconds_to_cart,
    date_diff('second', first_view_at, sale_after) as seconds_to_purchase,
    coalesce(purchases > 0, false) as is_order,
    first_purchased_product_id
from viewed
left join (select * exclude (category_l1) from steps_of(false)) using (session_id);

-- step: user_daily_activity
create table user_daily_activity as
select
    user_id, event_date,
    count(*) as events,
    count(*) filter (event_type = 'view') as views,
    count(*) filter (event_type = 'cart') as carts,
    count(*) filter (event_type = 'remove_from_cart') as cart_removals,
    count(*) filter (event_type = 'purchase') as purchases,
    coalesce(sum(price) filter (event_type = 'purchase'), 0)::decimal(18, 2) as revenue
from events_cleaned
group by all;

set variable as_of_date = coalesce(
    getvariable('as_of_date')::date, (select max(event_date) from user_daily_activity)
);
create macro is_left_censored(day) as
    date_diff('day', (select min(event_date) from user_daily_activity), day)
    < getvariable('left_censored_days');

-- step: users_dim
create table users_dim as
with activity as (
    select
        user_id,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        count(*) as sessions,
        sum(purchases)::bigint as purchases,
        count(*) filter (is_order) as orders,
        sum(revenue)::decimal(18, 2) as revenue,
        min(first_purchase_at) as first_order_at,
        max(last_purchase_at) as last_purchase_at
    from sessions
    group by user_id
),

measured as (
    select
        *,
        getvariable('as_of_date')::date as as_of_date,
        date_diff('day', last_seen_at::date, as_of_date) as days_since_last_activity,
        date_diff('day', first_order_at::date, as_of_date) as days_since_first_order,
        date_diff('day', last_purchase_at::date, as_of_date) as days_since_last_purchase
    from activity
    left join (
        select
            user_id,
            arg_min(session_id, (first_purchase_at, session_id)) as first_order_session_id
        from sessions
        where is_order
        group by user_id
    ) using (user_id)
)

select
    user_id,
    list_filter(
        getvariable('user_segments'),
        lambda segment: case segment
            when 'prospect' then orders = 0
            when 'at_risk'
                then orders > 1
                and days_since_last_purchase > getvariable('segment_at_risk_after_days')
            when 'lapsed'
                then orders = 1
                and days_since_last_purchase > getvariable('segment_lapsed_after_days')
            when 'vip'
                then orders >= getvariable('segment_vip_min_orders')
                or revenue >= getvariable('segment_vip_min_revenue')
            when 'loyal' then orders >= getvariable('segment_loyal_min_orders')
            when 'new' then days_since_first_order <= getvariable('segment_new_within_days')
            when 'regular' then true
        end
    )[1] as user_segment,
    first_seen_at, last_seen_at, first_order_at, last_purchase_at, first_order_session_id, sessions,
    purchases, orders, revenue, days_since_last_activity, days_since_last_purchase, as_of_date
from measured;

create table first_orders as
select first_order_session_id as session_id, is_left_censored(first_order_at::date) as is_early
from users_dim
where orders > 0;

-- step: product_history
create table product_history as
with days as (
    select
        product_id, event_date,
        min(event_time) as first_time,
        min(category_id) as category_id,
        min(category_code) as category_code,
        min(brand) as brand,
        min(price) as price,
        min(category_id) = max(category_id)
        and min(price) = max(price)
        and min(category_code) is not distinct from max(category_code)
        and count(category_code) in (0, count(*))
        and min(brand) is not distinct from max(brand)
        and count(brand) in (0, count(*)) as is_constant
    from events_cleaned
    group by all
),

observations as (
    select product_id, first_time as event_time, category_id, category_code, brand, price
    from days
    where is_constant
    union all
    select product_id, event_time, category_id, category_code, brand, price
    from (
        select
            product_id, event_time, category_id, category_code, brand, price,
            row_number() over (
                partition by product_id, event_time order by hash_of_event(event)
            ) as place
        from events_cleaned as event
        join (select product_id, event_date from days where not is_constant) as days
            using (product_id, event_date)
    )
    where place = 1
),

changes as (
    from (
        select
            *,
            lag(event_time) over product as previous_event_time,
            lag(category_id) over product as previous_category_id,
            lag(category_code) over product as previous_category_code,
            lag(brand) over product as previous_brand,
            lag(price) over product as previous_price
        from observations
        window product as (partition by product_id order by event_time)
    )
    where
        previous_event_time is null
        or (category_id, category_code, brand, price) is distinct from
        (previous_category_id, previous_category_code, previous_brand, previous_price)
)

select
    product_id,
    row_number() over product as version_number,
    event_time as valid_from,
    lead(event_time) over product as valid_to,
    valid_to is null as is_current,
    category_id, category_code, brand, price,
    lag(nullif(price, 0) ignore nulls) over product as previous_price
from changes
window product as (partition by product_id order by event_time);

-- step: products_dim
create table products_dim as
select
    product_id,
    arg_max(category_id, version_number) as category_id,
    arg_max_null(category_code, version_number) as category_code,
    nullif(split_part(arg_max_null(category_code, version_number), '.', 1), '') as category_l1,
    nullif(split_part(arg_max_null(category_code, version_number), '.', 2), '') as category_l2,
    nullif(split_part(arg_max_null(category_code, version_number), '.', 3), '') as category_l3,
    arg_max_null(brand, version_number) as brand,
    arg_max(price, version_number) filter (price > 0) as current_price,
    max(valid_from) filter (price > 0 and price is distinct from previous_price)
        as current_price_since,
    min(valid_from) as first_seen_at,
    count(*) as versions,
    count(*) filter (price > 0 and price <> previous_price) as price_changes,
    min(price) filter (price > 0) as lowest_price,
    max(price) filter (price > 0) as highest_price
from product_history
group by product_id;

-- step: buyer_purchases
create table buyer_purchases as
select
    user_id,
    count(*) - 1 as frequency,
    date_diff('day', min(event_date), max(event_date)) as recency_days,
    date_diff('day', min(event_date), getvariable('as_of_date')::date) as age_days,
    coalesce(money_average(sum(revenue) - arg_min(revenue, event_date), count(*) - 1), 0)
        ::decimal(18, 2) as monetary_value,
    getvariable('as_of_date')::date as as_of_date
from user_daily_activity
where purchases > 0
group by user_id;

-- step: customer_lifetime_value
-- The likelihood is no SQL: the runner of this script fits it to buyer_purchases here.

-- step: customer_metrics
create table customer_metrics as
with activity as (
    select
        user_id,
        count(*) as active_days,
        sum(events)::bigint as events,
        sum(views)::bigint as views,
        sum(carts)::bigint as carts
    from user_daily_activity
    group by user_id
),

visits as (
    select
        user_id,
        sum(duration_seconds)::bigint as engaged_seconds,
        count(*) filter (carts > 0 and not is_order) as abandoned_carts
    from sessions
    group by user_id
)

select
    user_id, user_segment, first_seen_at, last_seen_at, first_order_at,
    is_left_censored(first_order_at::date) as is_first_order_left_censored, last_purchase_at,
    sessions, active_days, events, views, carts, purchases, orders, abandoned_carts, engaged_seconds, revenue,
    money_average(revenue, orders) as average_order_value,
    rate(orders, sessions) as session_conversion_rate,
    date_diff('day', first_seen_at::date, as_of_date) + 1 as days_observed,
    case
        when days_observed >= getvariable('frequency_min_days')
            then rate(orders * 30, days_observed)
    end as purchase_frequency,
    days_since_last_activity,
    days_since_last_activity <= getvariable('active_within_days') as is_active,
    days_since_last_purchase,
    score_at_most(days_since_last_purchase, getvariable('rfm_recency_days')) as recency_score,
    case when orders > 0 then score_at_least(orders, getvariable('rfm_frequency_orders')) end
        as frequency_score,
    case when orders > 0 then score_at_least(revenue, getvariable('rfm_monetary_revenue')) end
        as monetary_score,
    days_since_last_purchase > getvariable('churn_after_days') as is_churned,
    case
        when is_churned is null then null
        when is_churned then 'high'
        when days_since_last_purchase >= getvariable('churn_medium_risk_after_days') then 'medium'
        else 'low'
    end as churn_risk,
    probability_alive, expected_orders_90d, expected_revenue_90d, as_of_date
from users_dim
join activity using (user_id)
join visits using (user_id)
left join (
    select user_id, probability_alive, expected_orders_90d, expected_revenue_90d
    from customer_lifetime_value
) using (user_id);

-- step: product_performance
create table product_performance as
with session_products as (
    select
        product_id, session_id,
        count(*) filter (event_type = 'view') as views,
        count(*) filter (event_type = 'cart') as carts,
        count(*) filter (event_type = 'remove_from_cart') as cart_removals,
        count(*) filter (event_type = 'purchase') as purchases,
        sum(price) filter (event_type = 'purchase') as revenue
    from events_cleaned
    group by all
),

counts as (
    select
        product_id,
        sum(views)::bigint as views,
        sum(carts)::bigint as carts,
        sum(cart_removals)::bigint as cart_removals,
        sum(purchases)::bigint as purchases,
        coalesce(sum(revenue), 0)::decimal(18, 2) as revenue,
        count(*) filter (views > 0) as view_sessions,
        count(*) filter (carts > 0) as cart_sessions,
        count(*) filter (purchases > 0) as purchase_sessions,
        count(*) filter (views > 0 and carts > 0) as view_and_cart_sessions,
        count(*) filter (views > 0 and purchases > 0) as view_and_purchase_sessions,
        count(*) filter (carts > 0 and purchases > 0) as cart_and_purchase_sessions
    from session_products
    group by product_id
),

reach as (
    select
        product_id,
        count(*) filter (event_type = 'view') as viewers,
        count(*) filter (event_type = 'purchase') as buyers
    from (
        select distinct product_id, user_id, event_type
        from events_cleaned
        where event_type in ('view', 'purchase')
    )
    group by product_id
),

totals as (
    select
        * exclude (viewers, buyers),
        coalesce(viewers, 0) as viewers,
        coalesce(buyers, 0) as buyers
    from counts
    left join reach using (product_id)
),

openings as (
    select
        first_purchased_product_id as product_id,
        count(*) as orders_started,
        count(*) filter (session_id in (select session_id from first_orders)) as buyers_acquired,
        count(*) filter (session_id in (select session_id from first_orders where is_early))
            as buyers_acquired_left_censored
    from sessions
    where is_order
    group by all
),

ranked as (
    select
        *,
        rank() over (order by revenue desc) as revenue_rank,
        rank() over (partition by category_id order by revenue desc) as revenue_rank_in_category,
        rank() over (partition by category_code order by revenue desc) as rank_in_category_code,
        rank() over (partition by brand order by revenue desc) as rank_in_brand,
        sum(revenue) over () as shop_revenue,
        sum(revenue) over (
            order by revenue desc, product_id rows between unbounded preceding and current row
        ) as running_revenue
    from products_dim
    join totals using (product_id)
)

select
    product_id, category_id, category_code, category_l1, brand, current_price, lowest_price,
    highest_price, price_changes, first_seen_at, views, carts, cart_removals, purchases, viewers,
    buyers, view_sessions, cart_sessions, purchase_sessions,
    coalesce(orders_started, 0) as orders_started,
    coalesce(buyers_acquired, 0) as buyers_acquired,
    coalesce(buyers_acquired_left_censored, 0) as buyers_acquired_left_censored,
    rate(view_and_cart_sessions, view_sessions) as view_to_cart_rate,
    rate(cart_and_purchase_sessions, cart_sessions) as cart_to_purchase_rate,
    rate(view_and_purchase_sessions, view_sessions) as view_to_purchase_rate,
    revenue, revenue_rank,
    revenue_rank_in_category,
    case when category_code is not null then rank_in_category_code end
        as revenue_rank_in_category_code,
    case when brand is not null then rank_in_brand end as revenue_rank_in_brand,
    rate(revenue, shop_revenue) as revenue_share,
    case
        when revenue = 0 then null
        when running_revenue - revenue < shop_revenue * getvariable('pareto_a_share') then 'A'
        when running_revenue - revenue < shop_revenue * getvariable('pareto_b_share') then 'B'
        else 'C'
    end as pareto_class
from ranked
left join openings using (product_id);

-- step: daily_sales_summary
create table daily_sales_summary as
with hours as (
    select
        event_date, event_hour,
        count(*) as events,
        count(*) filter (event_type = 'view') as views,
        count(*) filter (event_type = 'cart') as carts,
        count(*) filter (event_type = 'purchase') as purchases,
        coalesce(sum(price) filter (event_type = 'purchase'), 0) as revenue
    from events_cleaned
    group by all
),

traffic as (
    select
        event_date,
        sum(events)::bigint as events,
        sum(views)::bigint as views,
        sum(carts)::bigint as carts,
        sum(purchases)::bigint as purchases,
        sum(revenue)::decimal(18, 2) as revenue,
        arg_max(event_hour, (events, -event_hour)) as peak_traffic_hour,
        arg_max(event_hour, (revenue, -event_hour)) filter (revenue > 0) as peak_sales_hour
    from hours
    group by event_date
),

calendar as (
    select unnest(generate_series(min(event_date), max(event_date), interval 1 day))::date
        as event_date
    from traffic
),

hour_grid as (
    select event_date, event_hour, coalesce(hours.events, 0) as events
    from (select event_date from traffic)
    cross join (select distinct event_hour from hours)
    left join hours using (event_date, event_hour)
),

usual_hours as (
    select
        hour.event_date, hour.event_hour,
        any_value(hour.events) as events,
        median(near.events) as usual_events
    from hour_grid as hour
    join hour_grid as near
        on
            near.event_hour = hour.event_hour
            and near.event_date <> hour.event_date
            and abs(date_diff('day', hour.event_date, near.event_date))
            <= getvariable('incomplete_day_window_days')
    group by all
),

pauses as (
    select event_date, max(missed_events) as missed_events
    from (
        select event_date, sum(usual_events) as missed_events
        from (
            select
                *,
                count(*) filter (events > 0) over (
                    partition by event_date order by event_hour
                ) as pause_number
            from usual_hours
        )
        where events = 0
        group by event_date, pause_number
    )
    group by event_date
),

surroundings as (
    select
        event_date,
        any_value(today.events) as events,
        any_value(today.purchases) as purchases,
        median(near.events) as usual_events,
        median(nullif(near.purchases, 0)) as usual_purchases
    from calendar
    left join traffic as today using (event_date)
    left join traffic as near
        on
            near.event_date <> calendar.event_date
            and abs(date_diff('day', calendar.event_date, near.event_date))
            <= getvariable('incomplete_day_window_days')
    group by event_date
),

shares as (
    select
        event_date, events,
        events / usual_events as events_share,
        case
            when usual_purchases >= getvariable('incomplete_day_min_purchases')
                then purchases / usual_purchases
        end as purchases_share,
        case
            when missed_events >= getvariable('incomplete_day_pause_min_events')
                then missed_events / usual_events
        end as missed_share
    from surroundings
    left join pauses using (event_date)
),

judged as (
    select
        event_date,
        events is null
        or coalesce(events_share < getvariable('incomplete_day_share'), false)
        or coalesce(purchases_share < getvariable('incomplete_day_share'), false)
        or coalesce(missed_share > getvariable('incomplete_day_pause_share'), false)
            as is_incomplete,
        coalesce(events_share > getvariable('catch_up_day_factor'), false)
        or coalesce(purchases_share > getvariable('catch_up_day_factor'), false) as is_elevated
    from shares
),

completeness as (
    select
        event_date,
        is_left_censored(event_date) as is_left_censored,
        case
            when is_incomplete then 'incomplete'
            when
                is_elevated
                and max(event_date) filter (is_incomplete) over day
                > coalesce(
                    max(event_date) filter (not is_incomplete and not is_elevated) over day,
                    '1970-01-01'::date
                )
                then 'catch_up'
            else 'complete'
        end as day_kind,
        day_kind = 'complete' as is_complete
    from judged
    window day as (order by event_date)
),

days as (
    select
        event_date, day_kind, is_complete, is_left_censored,
        coalesce(events, 0) as events,
        coalesce(views, 0) as views,
        coalesce(carts, 0) as carts,
        coalesce(purchases, 0) as purchases,
        coalesce(visitors, 0) as visitors,
        coalesce(sessions, 0) as sessions,
        coalesce(sessions_with_purchase, 0) as sessions_with_purchase,
        coalesce(orders, 0) as orders,
        coalesce(buyers, 0) as buyers,
        coalesce(new_buyers, 0) as new_buyers,
        coalesce(revenue, 0)::decimal(18, 2) as revenue,
        case when is_complete then coalesce(revenue, 0) end as complete_revenue,
        peak_sales_hour, peak_traffic_hour
    from completeness
    left join traffic using (event_date)
    left join (
        select
            event_date,
            count(*) as visitors,
            count(*) filter (purchases > 0) as buyers
        from user_daily_activity
        group by all
    ) using (event_date)
    left join (
        select
            session_date as event_date,
            count(*) as sessions,
            count(*) filter (is_order) as sessions_with_purchase
        from sessions
        group by all
    ) using (event_date)
    left join (
        select
            first_purchase_at::date as event_date,
            count(*) as orders,
            count(*) filter (session_id in (select session_id from first_orders)) as new_buyers
        from sessions
        where is_order
        group by all
    ) using (event_date)
)

select
    event_date,
    isodow(event_date) >= 6 as is_weekend,
    day_kind, is_complete, is_left_censored, events, views, carts, purchases, visitors, sessions,
    sessions_with_purchase, orders, buyers, new_buyers, revenue,
    money_average(revenue, orders) as average_order_value,
    rate(sessions_with_purchase, sessions) as session_conversion_rate,
    rate(buyers, visitors) as visitor_conversion_rate,
    (complete_revenue - lag(complete_revenue) over day)::decimal(18, 2)
        as revenue_change_from_previous_day,
    rate(complete_revenue - lag(complete_revenue) over day, lag(complete_revenue) over day)
        as revenue_change_rate_from_previous_day,
    (complete_revenue - lag(complete_revenue, 7) over day)::decimal(18, 2)
        as revenue_change_from_same_weekday,
    rate(complete_revenue - lag(complete_revenue, 7) over day, lag(complete_revenue, 7) over day)
        as revenue_change_rate_from_same_weekday,
    count(complete_revenue) over week as revenue_7d_average_days,
    money_average(sum(complete_revenue) over week, revenue_7d_average_days) as revenue_7d_average,
    count(complete_revenue) over month as revenue_28d_average_days,
    money_average(sum(complete_revenue) over month, revenue_28d_average_days)
        as revenue_28d_average,
    peak_sales_hour, peak_traffic_hour
from days
window
    day as (order by event_date),
    week as (order by event_date rows between 6 preceding and current row),
    month as (order by event_date rows between 27 preceding and current row);

-- step: conversion_funnel
create table conversion_funnel as
with several as (
    select
        session_id, session_date, steps.category_l1, steps.views, steps.carts, steps.purchases,
        steps.revenue, steps.cart_after, steps.last_purchase_at, steps.first_view_at,
        steps.sale_after
    from sessions
    join steps_of(true) as steps using (session_id)
    where single_category_l1 is null
),

-- Sessions with views only have nothing but a view in each of their categories.
viewed as (
    select distinct
        session_id,
        coalesce(nullif(level(1, category_code), '(all)'), '(none)') as category_l1
    from events_cleaned
    where
        session_id in (
            select session_id
            from sessions
            where single_category_l1 is null and events = views
        )
),

funnels as (
    select
        session_date as event_date, '(all)' as category_l1, views, carts, purchases, revenue,
        is_view_then_cart, is_view_cart_purchase_in_order, seconds_to_cart, seconds_to_purchase,
        is_order and session_id in (select session_id from first_orders) as is_first_order
    from sessions
    union all
    select
        session_date, single_category_l1, views, carts, purchases, revenue, is_view_then_cart,
        is_view_cart_purchase_in_order, seconds_to_cart, seconds_to_purchase, false
    from sessions
    where single_category_l1 is not null
    union all
    select
        session_date, category_l1, views, carts, purchases, revenue, cart_after is not null,
        coalesce(last_purchase_at >= cart_after, false),
        date_diff('second', first_view_at, cart_after),
        date_diff('second', first_view_at, sale_after), false
    from several
    union all
    select
        session_date, viewed.category_l1, 1, 0, 0, 0, false, false, null, null, false
    from viewed
    join sessions using (session_id)
),

counted as (
    select
        event_date, category_l1,
        count(*) as sessions,
        count(*) filter (views > 0) as sessions_with_view,
        count(*) filter (carts > 0) as sessions_with_cart,
        count(*) filter (purchases > 0) as sessions_with_purchase,
        count(*) filter (is_view_then_cart) as sessions_view_then_cart,
        count(*) filter (is_view_cart_purchase_in_order) as sessions_view_cart_purchase_in_order,
        count(*) filter (carts > 0 and purchases > 0) as sessions_with_cart_and_purchase,
        count(*) filter (carts = 0 and purchases > 0) as sessions_purchase_without_cart,
        count(*) filter (is_first_order) as sessions_with_first_order,
        median(seconds_to_cart)::double as median_seconds_to_cart,
        median(seconds_to_purchase)::double as median_seconds_to_purchase,
        sum(revenue)::decimal(18, 2) as revenue
    from funnels
    group by all
),

all_days as (
    from counted
    union all by name
    select
        event_date, '(all)' as category_l1, 0 as sessions, 0 as sessions_with_view,
        0 as sessions_with_cart, 0 as sessions_with_purchase, 0 as sessions_view_then_cart,
        0 as sessions_view_cart_purchase_in_order, 0 as sessions_with_cart_and_purchase,
        0 as sessions_purchase_without_cart, 0 as sessions_with_first_order,
        0::decimal(18, 2) as revenue
    from daily_sales_summary
    anti join counted using (event_date)
)

select
    event_date, category_l1, day_kind, is_complete, is_left_censored, sessions, sessions_with_view,
    sessions_with_cart, sessions_with_purchase, sessions_view_then_cart,
    sessions_view_cart_purchase_in_order, sessions_with_cart_and_purchase,
    sessions_purchase_without_cart, sessions_with_first_order,
    rate(sessions_view_then_cart, sessions_with_view) as view_then_cart_rate,
    rate(sessions_view_cart_purchase_in_order, sessions_view_then_cart) as cart_then_purchase_rate,
    rate(sessions_with_purchase, sessions) as session_conversion_rate,
    rate(sessions_with_view - sessions_view_then_cart, sessions_with_view) as view_drop_off_rate,
    rate(sessions_with_cart - sessions_with_cart_and_purchase, sessions_with_cart)
        as cart_abandonment_rate,
    median_seconds_to_cart, median_seconds_to_purchase, revenue as session_revenue
from all_days
join (
    select event_date, day_kind, is_complete, is_left_censored from daily_sales_summary
) using (event_date);

drop table shopping;
drop table first_orders;
