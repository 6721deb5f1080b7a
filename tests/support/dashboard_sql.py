"""SQL for every tile and figure of the dashboard, written once more on events, for the tests.

It shares nothing with `dashboard/queries`: those read marts, this counts events. Where the events
alone do not say a number without the rules of a model (kind of a day, segment, score, expected
revenue, price change), the table that has it is read, and what is computed from it is written in
another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb

# What the queries below share. Temporary, so that a database that is open to read has them.
_VIEWS: Final = """
create temp table e as
select *,
    md5(concat_ws(chr(31),
        event_time, event_type, product_id, category_id, coalesce(category_code, ''),
        coalesce(brand, ''), price, user_id, user_session
    )) as event_id,
    nullif(split_part(category_code, '.', 1), '') as category_l1,
    nullif(split_part(category_code, '.', 2), '') as category_l2,
    nullif(split_part(category_code, '.', 3), '') as category_l3,
    coalesce(category_l1, '(none)') as l1, coalesce(category_l2, '(none)') as l2,
    event_type = 'view' as is_view, event_type = 'cart' as is_cart,
    event_type = 'purchase' as is_buy
from silver_layer.events_cleaned;

create temp table d as
select event_date as day, day_kind as kind, day_kind = 'complete' as is_whole,
    event_date > max(event_date) over () - 28 as is_now,
    event_date between max(event_date) over () - 55 and max(event_date) over () - 28 as is_before,
    cast(date_trunc('week', event_date) as date) as week
from gold_layer.daily_sales_summary;

create temp table weeks as
select week, count_if(is_whole) as whole_days from d group by week;

create temp table s as
select *,
    exists (from e where e.session_id = firsts.session_id and is_cart and event_time >= viewed_at)
        as is_carted_after,
    date_diff('second', viewed_at, (
        select min(event_time) from e
        where e.session_id = firsts.session_id and is_buy and event_time >= viewed_at
    )) as seconds_to_buy
from (
    select session_id, any_value(user_id) as user_id, min(event_date) as day,
        min(event_time) filter (where is_view) as viewed_at,
        min(event_time) filter (where is_buy) as bought_at,
        bool_or(is_view) as is_viewed, bool_or(is_cart) as is_carted, bool_or(is_buy) as is_bought
    from e group by session_id
) as firsts;

create temp table o as
select session_id, user_id, cast(bought_at as date) as day, bought_at,
    cast(date_trunc('week', bought_at) as date) as week,
    row_number() over (partition by user_id order by bought_at, session_id) as place,
    (select count(*) from e where e.session_id = s.session_id and is_buy) as units,
    (select sum(price) from e where e.session_id = s.session_id and is_buy) as revenue
from s where is_bought;

create temp table c as
select user_id, any_value(o.orders) as orders, any_value(o.revenue) as revenue
from e left join (
    select user_id, count(*) as orders, sum(revenue) as revenue from o group by user_id
) as o using (user_id) group by user_id;

create temp table buyers as
select c.*, recency_score, frequency_score, rfm_segment, churn_risk, users_dim.user_segment,
    clv.expected_revenue_90d as expected
from c
join gold_layer.customer_metrics as metrics using (user_id)
left join silver_layer.users_dim using (user_id)
left join intermediate_layer.customer_lifetime_value as clv using (user_id)
where c.orders > 0;

create temp table p as
select product_id, count_if(is_view) as views, count_if(is_cart) as carts,
    count_if(is_buy) as units, count(distinct user_id) filter (where is_view) as viewers,
    coalesce(sum(price) filter (where is_buy), 0) as revenue,
    coalesce(sum(price) filter (where is_buy and is_now), 0) as revenue_now,
    coalesce(sum(price) filter (where is_buy and is_before), 0) as revenue_before,
    arg_max(price, (event_time, event_id)) as last_price,
    arg_max(brand, (event_time, event_id)) filter (where brand is not null) as brand,
    arg_max(category_code, (event_time, event_id)) filter (where category_code is not null) as code
from e join d on e.event_date = d.day group by product_id;

create temp table lines as
select *, is_late or is_observed as is_known
from (
    select *, carted_at::date + 7 <= (select max(day) from d) as is_observed, exists (
        from e where e.user_id = carted.user_id and e.product_id = carted.product_id and is_buy
            and e.event_time > carted_at and e.event_time <= carted_at + interval 7 days
    ) as is_late
    from (
        select session_id, product_id, any_value(user_id) as user_id,
            max(event_time) filter (where is_cart) as carted_at,
            arg_max(price, event_time) filter (where is_cart) as price
        from e group by session_id, product_id
        having bool_or(is_cart) and not coalesce(max(event_time) filter (where is_buy)
            >= min(event_time) filter (where is_cart), false)
            and not coalesce(max(event_time) filter (where event_type = 'remove_from_cart')
            >= max(event_time) filter (where is_cart), false)
    ) as carted
);

create temp table moves as
select product_id, changed_date as day, category_l1, category_code, brand, price_before as old,
    price_after as new, price_after / price_before - 1 as move, views_before, views_after,
    units_before / views_before as rate_before, units_after / views_after as rate_after,
    category_rate_change as drift, arc_elasticity is not null as is_measured,
    ((units_after / views_after - units_before / views_before)
        / ((units_after / views_after + units_before / views_before) / 2) - category_rate_change)
        / ((price_after - price_before) / ((price_after + price_before) / 2)) as response
from gold_layer.price_changes;

create temp table brand_pairs as
select *, count_if(one <> '(none)' and two <> '(none)') over (partition by l1, l2, one) as of_one
from (
    select user_id, l1, l2, brand as two, lag(brand) over (
            partition by user_id, l1, l2 order by bought_at, session_id, product_id) as one
    from (
        select distinct o.user_id, o.session_id, bought_at, product_id, l1, l2,
            coalesce(brand, '(none)') as brand
        from e join o using (session_id) where is_buy and category_l2 is not null
    )
) where one is not null;

create temp table visits as
select session_id, l1, place, lag(l1) over steps as before, lead(l1) over steps as after
from (
    select session_id, l1, lag(l1) over events as previous, row_number() over events as place
    -- Within a second the order is not known: a category is there once.
    from (select distinct session_id, event_time, l1 from e)
    window events as (partition by session_id order by event_time, l1)
) where previous is distinct from l1
window steps as (partition by session_id order by place);

create temp table by_day as
select d.*,
    coalesce((select sum(price) from e where is_buy and event_date = d.day), 0) as revenue,
    (select count_if(is_buy) from e where event_date = d.day) as units,
    (select count(*) from e where event_date = d.day) as events,
    (select count(*) from o where o.day = d.day) as orders,
    (select count(distinct user_id) from e where event_date = d.day) as visitors,
    (select count(distinct user_id) from e where event_date = d.day and is_buy) as buyers,
    (select count(*) from (select min(event_date) as first from e group by user_id)
        where first = d.day) as new_visitors,
    (select count(*) from o where o.day = d.day and place = 1) as new_buyers,
    (select count(*) from s where s.day = d.day) as sessions,
    (select count_if(is_bought) from s where s.day = d.day) as bought
from d;
"""


def connected(database: str) -> duckdb.DuckDBPyConnection:
    """Return a connection that reads a database of the platform and has the tables above."""
    connection = duckdb.connect(database, read_only=True)
    connection.execute(_VIEWS)
    return connection


_NOW: Final = "(select max(day) from d) - 28"
_NOVEMBER: Final = "month(day) = 11"
# Of tables: what a tile must show.
TILES: Final[Mapping[str, str]] = {
    "index/The last 28 days: Revenue": "select sum(revenue) from by_day where is_now",
    "index/The last 28 days: Orders": f"select count(*) from o where day > {_NOW}",
    "index/The last 28 days: Average order value": (
        f"select (select sum(price) from e where is_buy and event_date > {_NOW})"
        f" / (select count(*) from o where day > {_NOW})"
    ),
    "index/The last 28 days: Sessions": f"select count(*) from s where day > {_NOW}",
    "index/The last 28 days: Conversion of sessions": (
        f"select avg(is_bought::int) from s where day > {_NOW}"
    ),
    "index/The last 28 days: Buyers": f"select count(distinct user_id) from o where day > {_NOW}",
    "index/All 61 days: Revenue": "select sum(price) from e where is_buy",
    "index/All 61 days: Orders": "select count(distinct session_id) from e where is_buy",
    "index/All 61 days: Buyers": "select count(distinct user_id) from e where is_buy",
    "index/All 61 days: Sessions": "select count(distinct session_id) from e",
    "index/All 61 days: Complete days": "select count_if(is_whole) from d",
    "sales/Month: Nov 2019: Revenue": (
        "select sum(price) from e where is_buy and month(event_date) = 11"
    ),
    "sales/Month: Nov 2019: Orders": f"select count(*) from o where {_NOVEMBER}",
    "sales/Month: Nov 2019: Units": (
        "select count(*) from e where is_buy and month(event_date) = 11"
    ),
    "sales/Month: Nov 2019: Average order value": (
        "select (select sum(price) from e where is_buy and month(event_date) = 11)"
        f" / (select count(*) from o where {_NOVEMBER})"
    ),
    "sales/Month: Nov 2019: New buyers": (
        "select count(*) from (select min(event_date) as day from e where is_buy group by user_id)"
        f" where {_NOVEMBER}"
    ),
    "customers/At a glance: Users": "select count(distinct user_id) from e",
    "customers/At a glance: Buyers": "select count(distinct user_id) from e where is_buy",
    "customers/At a glance: Repeat within 30 days": """
        select avg((coalesce(two - one <= 30, false))::int) from (
            select list_sort(list(day))[1] as one, list_sort(list(day))[2] as two
            from o group by user_id
        ) where one <= (select max(day) from d) - 30""",
    "customers/At a glance: Median days to the second order": """
        select median(list_sort(list)[2] - list_sort(list)[1]) from (
            select list(day) as list from o group by user_id having count(*) > 1)""",
    "customers/At a glance: Expected revenue, 90 days": (
        "select sum(expected_revenue_90d) from intermediate_layer.customer_lifetime_value"
    ),
    "products/At a glance: Products": "select count(distinct product_id) from e",
    "products/At a glance: Sold at least once": (
        "select count(distinct product_id) from e where is_buy"
    ),
    "products/At a glance: Viewed, never sold": (
        "select count(distinct product_id) from e where is_view"
        " and product_id not in (select product_id from e where is_buy)"
    ),
    "funnel/Abandoned carts: Abandoned lines": "select count(*) from lines",
    "funnel/Abandoned carts: Their value": "select sum(price) from lines",
    "funnel/Abandoned carts: Bought later": (
        "select avg(is_late::int) from lines where is_observed"
    ),
    "funnel/Abandoned carts: Still open": "select sum(price) from lines where not is_known",
    "prices/At a glance: Price changes": "select count(*) from moves",
    "prices/At a glance: Products": "select count(distinct product_id) from moves",
    "prices/At a glance: Cuts among changes": "select avg((new < old)::int) from moves",
    "prices/At a glance: Median cut": "select median(move) from moves where new < old",
    "prices/At a glance: Median elasticity": "select median(response) from moves where is_measured",
    "trust/At a glance: Newest event": "select max(event_time)::date from e",
    "trust/At a glance: Newest file loaded": (
        "select max(_ingested_at) from bronze_layer.events_raw"
    ),
    "trust/At a glance: Files": "select count(distinct _source_file) from bronze_layer.events_raw",
    "trust/At a glance: Clean events": "select count(*) from e",
    "trust/At a glance: Rows that break a rule": (
        "select count(*) from silver_layer.events_quarantined"
        " where rejection_reasons <> 'duplicate'"
    ),
}

_BY_DAY: Final = """
    select day, kind, revenue, (
            select avg(revenue) from by_day as week
            where week.is_whole and week.day between by_day.day - 6 and by_day.day
        ), orders, sessions, visitors, new_visitors, bought / sessions
    from by_day order by day"""
_MONTHS: Final = """
    select strftime(month, '%b %Y'), count(*), count_if(is_whole), sum(revenue), sum(orders),
        sum(units), sum(revenue) / sum(orders), sum(bought) / sum(sessions), sum(new_buyers)
    from (select *, date_trunc('month', day) as month from by_day) group by month order by month"""
_SEGMENTS: Final = """
    select user_segment, count(*), sum(orders), sum(revenue), sum(revenue) / sum(orders),
        sum(expected)
    from buyers group by 1"""
_COHORTS: Final = """
    with firsts as (
        select *, min(week) over (partition by user_id) as cohort from o
    ), sizes as (
        select cohort, count(distinct user_id) as customers from firsts group by cohort
    ), cells as (
        select *, cohort + 7 * k + 6 <= (select max(day) from d) as is_over
        from sizes, (select range::int as k from range((select count(*) from weeks)))
    )
    select cohort, k, cohort < (select min(day) from d) + 28, any_value(customers),
        if(is_over, count(distinct user_id) filter (where week = cohort + 7 * k), null) as returned,
        returned / any_value(customers),
        if(is_over, count_if(week = cohort + 7 * k), null),
        if(is_over, coalesce(sum(revenue) filter (where week = cohort + 7 * k), 0), null),
        if(is_over, sum(revenue) filter (where week <= cohort + 7 * k) / any_value(customers), null)
    from cells join firsts using (cohort) group by cohort, k, is_over order by cohort, k"""
_CARTS: Final = """
    select coalesce(category_l1, '(none)') as category, count(*) as number, sum(price) as value,
        sum(price) filter (where not is_known),
        avg(is_late::int) filter (where is_observed) as rate, count_if(is_observed) as observed
    from lines join silver_layer.products_dim using (product_id) group by 1"""
_PAIR: Final = """
    with bought as (
        select distinct o.{basket}, o.day, product_id from e join o using (session_id) where is_buy
    ), pairs as (
        select one.product_id as a, two.product_id as b, count(distinct one.{basket}) as times
        from bought as one join bought as two on one.{basket} = two.{basket}
            and one.product_id < two.product_id and abs(one.day - two.day) <= 30
        group by 1, 2 having times >= 5
    ), baskets as (
        select product_id, count(distinct {basket}) as number from bought group by 1
    )
    select a, p.brand, p.code, b, q.brand, q.code, times, times / (
            select count(distinct {basket}) from bought), times / x.number, times / y.number,
        times / x.number / y.number * (select count(distinct {basket}) from bought)
    from pairs join p on a = p.product_id join p as q on b = q.product_id
    join baskets as x on a = x.product_id join baskets as y on b = y.product_id
    order by times desc, 11 desc, a, b limit 15"""
# (metric, whether months add up, its value in the month that begins on `m`)
_METRIC: Final = (
    ("Revenue", True, "(select sum(price) from e where is_buy and {in_m})"),
    ("Revenue, month over month", False, """(select sum(price) from e where is_buy and {in_m}) / (
        select sum(price) from e where is_buy and date_trunc('month', event_date) =
            m - interval 1 month) - 1"""),
    ("Orders", True, "(select count(*) from o where {day_in_m})"),
    ("Units sold", True, "(select count_if(is_buy) from e where {in_m})"),
    ("Average order value", False, """(select sum(price) from e where is_buy and {in_m})
        / (select count(*) from o where {day_in_m})"""),
    ("Units per order", False, """(select count_if(is_buy) from e where {in_m})
        / (select count(*) from o where {day_in_m})"""),
    ("Repeat orders", True, "(select count(*) from o where place > 1 and {day_in_m})"),
    ("Visitors", False, "(select count(distinct user_id) from e where {in_m})"),
    ("New visitors", True, """(select count(*) from (
        select min(event_date) as day from e group by user_id) where {day_in_m})"""),
    ("Buyers", False, "(select count(distinct user_id) from e where is_buy and {in_m})"),
    ("New buyers", True, "(select count(*) from o where place = 1 and {day_in_m})"),
    ("Returning buyers", False, """(select count(distinct user_id) from e where is_buy and {in_m})
        - (select count(*) from o where place = 1 and {day_in_m})"""),
    ("Revenue of new buyers", True, """(
        select sum(price) from e join o using (session_id)
        where is_buy and place = 1 and {in_m})"""),
    ("Share of new buyers in revenue", False, """(
        select sum(price) filter (where place = 1) / sum(price)
        from e join o using (session_id) where is_buy and {in_m})"""),
    ("Conversion of visitors", False, """(
        select count(distinct user_id) filter (where is_buy) / count(distinct user_id)
        from e where {in_m})"""),
    ("Sessions", True, "(select count(*) from s where {day_in_m})"),
    ("Sessions with a purchase", True, "(select count_if(is_bought) from s where {day_in_m})"),
    ("Conversion of sessions", False, "(select avg(is_bought::int) from s where {day_in_m})"),
    ("Revenue per session", False, """(select sum(price) from e where is_buy and {in_m})
        / (select count(*) from s where {day_in_m})"""),
    ("Sessions with a view", True, "(select count_if(is_viewed) from s where {day_in_m})"),
    ("Sessions that viewed, then carted", True,
        "(select count_if(is_carted_after) from s where {day_in_m})"),
    ("From view to cart", False, """(
        select avg(is_carted_after::int) from s where is_viewed and {day_in_m})"""),
    ("Sessions with a cart", True, "(select count_if(is_carted) from s where {day_in_m})"),
    ("Sessions with a cart and a purchase", True,
        "(select count_if(is_carted and is_bought) from s where {day_in_m})"),
    ("Cart abandonment", False, """(
        select avg((not is_bought)::int) from s where is_carted and {day_in_m})"""),
    ("Buyers observed for 30 days", True, "(select count(*) from {firsts} and {day_in_m})"),
    ("Buyers who came back within 30 days", True,
        "(select count(*) filter (where is_back) from {firsts} and {day_in_m})"),
    ("Repeat within 30 days", False, "(select avg(is_back::int) from {firsts} and {day_in_m})"),
)  # fmt: skip
_IN: Final = {
    "in_m": "date_trunc('month', event_date) = m",
    "day_in_m": "date_trunc('month', day) = m",
    "firsts": """(
        select min(day) as day, coalesce(list_sort(list(day))[2] - min(day) <= 30, false) as is_back
        from o group by user_id) where day + 30 <= (select max(day) from d)""",
}
_METRICS: Final = " union all ".join(
    f"""select '{name}',
        {
        ", ".join(
            f"(select {value.format(**_IN)} from (select timestamp '2019-{month}-01' as m))"
            for month in (10, 11)
        )
    }, {str(adds_up).lower()}"""
    for name, adds_up, value in _METRIC
)
# Of a figure: the rows of its table, in the order of the page, all columns.
FIGURES: Final[Mapping[str, str]] = {
    "index-revenue-by-day": _BY_DAY,
    "index-sessions-by-day": _BY_DAY,
    "index-conversion-by-day": _BY_DAY,
    "index-categories": """
        select l1, sum(price), count(*) from e where is_buy
        group by 1 order by 2 desc, 1 limit 10""",
    "index-brands": """
        select brand, sum(price), count(*) from e where is_buy and brand is not null
        group by 1 order by 2 desc, 1 limit 10""",
    "index-visitors-by-month": """
        with people as (
            select user_id, date_trunc('month', event_date) as month,
                count(distinct event_date) as days, bool_or(is_buy) as is_buyer
            from e group by all
        ), firsts as (select user_id, min(month) as first_month from people group by user_id
        ), months as (select date_trunc('month', day) as month, count(*) as days from d group by 1)
        select strftime(month, '%b %Y'), any_value(months.days), count(*),
            count_if(month = first_month), count_if(month > first_month), count_if(is_buyer),
            sum(people.days) / any_value(months.days),
            sum(people.days) / count(*) / any_value(months.days)
        from people join firsts using (user_id) join months using (month)
        group by month order by month""",
    "index-new-visitors-by-day": _BY_DAY,
    "index-metrics": _METRICS,
    "sales-months": _MONTHS,
    "sales-months-orders": _MONTHS,
    "sales-revenue-by-day": _BY_DAY,
    "sales-orders-by-day": """
        select day, kind, orders, buyers, new_buyers, units, revenue / nullif(orders, 0)
        from by_day order by day""",
    "sales-weekdays": """
        select strftime(any_value(day), '%a'), count(*), avg(revenue), avg(orders),
            sum(bought) / sum(sessions)
        from by_day where is_whole group by isodow(day) order by isodow(day)""",
    "sales-hours": """
        with whole as (select day, isodow(day) as weekday, strftime(day, '%a') as name from d
            where is_whole)
        select any_value(name), hour, count(distinct day), count(event_id) / count(distinct day),
            count_if(coalesce(is_buy, false)) / count(distinct day),
            coalesce(sum(price) filter (where is_buy), 0) / count(distinct day)
        from whole cross join range(24) as h(hour)
        left join e on e.event_date = day and hour(event_time) = h.hour
        group by weekday, hour order by weekday, hour""",
    "sales-order-sizes": """
        select case when units >= 5 then '5 and more' else units::varchar end, count(*),
            sum(revenue)
        from o group by 1 order by 1""",
    "sales-order-values": """
        select (case when low = 0 then 0 else 25 * 2 ** (low - 1) end)::int || '+', count(*),
            sum(revenue)
        from (select revenue, greatest(0, least(7, 1 + floor(log2(revenue / 25)))) as low from o)
        group by low order by low""",
    "customers-segments": f"{_SEGMENTS} order by 4 desc, 1",
    "customers-expected": f"{_SEGMENTS} having sum(expected) > 0 order by 6 desc",
    "customers-new-and-returning": """
        select week, if(place = 1, 'first orders', 'later orders'), any_value(whole_days),
            count(*), sum(revenue)
        from o join weeks using (week) group by 1, 2 order by 1, 2""",
    "customers-second-orders": """
        with gaps as (
            select list_sort(list(day))[2] - list_sort(list(day))[1] as days
            from o group by user_id having count(*) > 1
        )
        select name, (select count(*) from gaps where days between low and high)
        from (values ('same day', 0, 0), ('1-3', 1, 3), ('4-7', 4, 7), ('8-14', 8, 14),
            ('15-30', 15, 30), ('later', 31, 9999)) as steps(name, low, high) order by low""",
    "customers-scores": """
        select recency_score, frequency_score, count(*), sum(revenue) from buyers
        group by 1, 2 order by 2 desc, 1""",
    "customers-rfm": """
        select rfm_segment, count(*), sum(orders), sum(revenue), sum(revenue) / sum(orders),
            avg((select max(day) from d) - (
                select max(event_date) from e where e.user_id = buyers.user_id and is_buy))
        from buyers group by 1 order by 4 desc, 1""",
    "customers-tenths": """
        with places as (
            select revenue, row_number() over (order by revenue desc, user_id) - 1 as place,
                count(*) over () as number
            from buyers
        ), tenths as (
            -- The first groups have one more where the number is no multiple of ten.
            select revenue, if(place < (number % 10) * (number // 10 + 1),
                place // (number // 10 + 1),
                (place - number % 10) // (number // 10)) + 1 as tenth
            from places
        )
        select tenth, count(*), sum(revenue), sum(revenue) / (select sum(revenue) from o)
        from tenths group by 1 order by 1""",
    "customers-churn": """
        select churn_risk, count(*), sum(revenue), sum(expected) from buyers
        group by 1 order by array_position(['low', 'medium', 'high'], churn_risk)""",
    "cohorts-returns": _COHORTS,
    "cohorts-value": _COHORTS,
    "products-curve": """
        with sold as (
            select revenue, row_number() over (order by revenue desc, product_id) as place
            from p where units > 0
        ), n as (select count(*) as number from sold), steps as (
            select step, (number // 20) * step + least(step, number % 20) as last
            from n, range(1, 21) as r(step)
        )
        select last / (select number from n), last - lag(last, 1, 0) over (order by step),
            (select sum(revenue) from sold where place <= last)
                - coalesce((select sum(revenue) from sold where place <= before), 0),
            (select sum(revenue) from sold where place <= last) / (select sum(revenue) from o)
        from (select *, lag(last, 1, 0) over (order by step) as before from steps) order by step""",
    "products-classes": """
        select class, count(*), sum(revenue), sum(units), sum(views) from (
            select *, case
                when units = 0 then 'never sold'
                when better < 0.8 * total then 'A' when better < 0.95 * total then 'B' else 'C'
            end as class from (
                select *, sum(revenue) over () as total, coalesce(sum(revenue) over (
                    order by revenue desc, product_id
                    rows between unbounded preceding and 1 preceding), 0) as better from p))
        group by 1 order by 1""",
    "products-best": """
        select product_id, brand, code, pareto_class, p.revenue, p.revenue / (
                select sum(revenue) from o), units, p.views, (
                select avg(is_bought::int) from (
                    select max(is_buy) as is_bought from e where e.product_id = p.product_id
                    group by session_id having max(is_view))), last_price
        from p join (select product_id, pareto_class from gold_layer.product_performance)
            using (product_id)
        where units > 0 order by p.revenue desc, product_id limit 25""",
    "products-trends": """
        with gains as (select *, revenue_now - revenue_before as gain from p)
        select product_id, brand, code, revenue_now, revenue_before, gain,
            gain / nullif(revenue_before, 0)
        from (
            (from gains where gain > 0 order by gain desc, product_id limit 8)
            union all (from gains where gain < 0 order by gain, product_id limit 8)
        ) order by gain desc, product_id""",
    "products-seen-not-sold": """
        select product_id, brand, code, views, viewers, carts, last_price
        from p where units = 0 and views > 0 order by views desc, product_id limit 25""",
    "categories-growth": """
        with sums as (
            select l1, sum(price) filter (where is_buy) as revenue, count_if(is_buy) as units,
                count_if(is_view) as views,
                sum(price) filter (where is_buy and is_now and is_whole)
                    / (select count_if(is_now and is_whole) from d) as now,
                sum(price) filter (where is_buy and is_before and is_whole)
                    / (select count_if(is_before and is_whole) from d) as before
            from e join d on event_date = day group by l1
        )
        select *, now / before - 1 as rate from sums
        where units >= 20 and rate is not null order by rate desc""",
    "categories-subcategories": """
        select category_l1, l2, sum(price) filter (where is_buy) as revenue, count_if(is_buy),
            count_if(is_view), count_if(is_buy) / count_if(is_view)
        from e where category_l1 is not null group by 1, 2 having revenue > 0
        order by revenue desc, 1, 2 limit 14""",
    "categories-weekly": """
        with sums as (
            select l1, sum(price) as total from e where is_buy
            group by 1 order by 2 desc, 1 limit 6
        )
        select l1, week, whole_days, (
            select coalesce(sum(price), 0) from e
            where is_buy and e.l1 = sums.l1 and event_date between week and week + 6)
        from sums cross join weeks order by total desc, week""",
    "categories-brand-shares": """
        with best as (
            select brand, sum(price) as total from e where is_buy and brand is not null
            group by 1 order by 2 desc, 1 limit 10
        )
        select brand, strftime(month, '%b %Y'), revenue, revenue / (
            select sum(price) from e where is_buy and date_trunc('month', event_date) = month)
        from (
            select brand, total, date_trunc('month', event_date) as month,
                coalesce(sum(price) filter (where is_buy), 0) as revenue
            from e join best using (brand) group by all
        ) order by total desc, brand, month""",
    "categories-loyalty": """
        select one, l2, count(distinct user_id), count(*), any_value(of_one),
            count(*) / any_value(of_one)
        from brand_pairs where one = two and one <> '(none)' and of_one >= 20
        group by l1, l2, one order by 6 desc, one, l2 limit 15""",
    "categories-switches": """
        select l2, one, two, count(distinct user_id), count(*), count(*) / any_value(of_one)
        from brand_pairs where one <> two and '(none)' not in (one, two)
        group by l1, l2, one, two order by 5 desc, l2, one, two limit 25""",
    "funnel-steps": """
        with s as (select s.* from s join d using (day) where is_whole)
        select step, number, number / (select count(*) from s) from (
            select 1 as place, 'all sessions' as step, count(*) as number from s
            union all select 2, 'with a view', count_if(is_viewed) from s
            union all select 3, 'view, then cart', count_if(is_carted_after) from s
            union all select 4, 'view, cart, purchase', count(distinct session_id) from (
                select session_id from e as cart join e as buy using (session_id)
                join s using (session_id)
                where cart.is_cart and buy.is_buy and cart.event_time >= viewed_at
                    and buy.event_time >= cart.event_time)
            union all select 5, 'with a purchase', count_if(is_bought) from s
            union all select 6, 'purchase, no cart', count_if(is_bought and not is_carted) from s
        ) order by place""",
    "funnel-abandonment": """
        select d.day, any_value(kind), count_if(is_carted),
            count_if(is_carted and not is_bought) / nullif(count_if(is_carted), 0),
            count_if(is_carted_after) / nullif(count_if(is_viewed), 0), avg(is_bought::int),
            median(seconds_to_buy)
        from d left join s using (day) group by 1 order by 1""",
    "funnel-categories": """
        with touched as (
            select *, exists (from e where e.session_id = firsts.session_id and e.l1 = firsts.l1
                and is_cart and event_time >= viewed_at) as is_carted_after
            from (select session_id, l1, max(is_view) as is_viewed, max(is_cart) as is_carted,
                    max(is_buy) as is_bought,
                    min(event_time) filter (where is_view) as viewed_at
                from e where category_l1 is not null group by 1, 2) as firsts
            where session_id in (select session_id from s join d using (day) where is_whole)
        )
        select l1, count(*), count_if(is_carted_after) / nullif(count_if(is_viewed), 0),
            count_if(is_carted and is_bought) / nullif(count_if(is_carted), 0),
            avg(is_bought::int), count_if(is_bought and not is_carted)
                / nullif(count_if(is_bought), 0)
        from touched group by 1 order by 2 desc, 1 limit 14""",
    "funnel-cart-categories": f"""
        select * exclude (observed) from ({_CARTS}) order by value desc, 1 limit 14""",
    "funnel-recovery": f"""
        select * exclude (observed) from ({_CARTS} order by value desc, 1 limit 14)
        where observed >= 20 order by rate desc""",
    "funnel-cart-products": """
        select product_id, any_value(brand), any_value(code), count(*), sum(price),
            any_value(last_price), count_if(last_price < price and price > 0)
        from lines join p using (product_id) where not is_known
        group by 1 order by 5 desc, 1 limit 20""",
    "prices-sizes": """
        select name, (select count(*) from moves where move > low and move <= high
                or move >= low and move < high and high <= 0)
        from (values (1, '< -30%', -9, -0.3), (2, '-20%', -0.3, -0.2), (3, '-10%', -0.2, -0.1),
            (4, '> -10%', -0.1, 0), (5, 'to +10%', 0, 0.1), (6, '+20%', 0.1, 0.2),
            (7, '+30%', 0.2, 0.3), (8, '> +30%', 0.3, 1e9)) as steps(step, name, low, high)
        order by step""",
    "prices-weeks": """
        select date_trunc('week', day)::date, if(new < old, 'cuts', 'rises'), count(*)
        from moves group by 1, 2 order by 1, 2""",
    "prices-categories": """
        select coalesce(category_l1, '(none)'), count(*), avg((new < old)::int),
            median(abs(move)), count_if(is_measured), median(response) filter (where is_measured)
        from moves group by 1 order by 2 desc, 1 limit 14""",
    "prices-elasticities": """
        select product_id, brand, category_code, day, old, new, move, views_before, views_after,
            rate_before, rate_after, drift, response
        from moves where is_measured
        order by views_before + views_after desc, product_id, day limit 25""",
    "paths-pairs-order": _PAIR.format(basket="session_id"),
    "paths-pairs-customer": _PAIR.format(basket="user_id"),
    "paths-paths": """
        with sizes as (
            select l1, row_number() over (order by count(*) desc, l1) as size
            from visits group by 1
        ), names as (select l1, if(size <= 8, l1, 'other') as name, least(size, 9) as size
            from sizes), moves_ as (
            select '(entry)' as one, 0 as place, name as two, size as place_two
            from visits join names using (l1) where before is null
            union all
            select a.name, a.size, b.name, b.size from visits
            join names as a using (l1) join names as b on after = b.l1
            union all
            select name, size, '(exit)', 10 from visits join names using (l1) where after is null
        ), ones as (select distinct one, place from moves_), twos as (
            select distinct two, place_two from moves_)
        select ones.one, twos.two, count(moves_.one),
            count(moves_.one) / any_value((select count(*) from moves_ as row_
                where row_.one = ones.one))
        from ones cross join twos left join moves_
            on ones.one = moves_.one and twos.two = moves_.two
        group by 1, 2, ones.place, twos.place_two order by ones.place, twos.place_two""",
    "trust-tie-out": """
        select name, (select sum(price) from e where is_buy),
            if(has_orders, (select count(distinct session_id) from e where is_buy), null)
        from (values (1, 'silver: clean events', false), (2, 'daily_sales_summary', true),
            (3, 'customer_metrics', true), (4, 'product_performance', false),
            (5, 'conversion_funnel, (all)', true), (6, 'orders', true),
            (7, 'category_brand_days', false)) as tables(place, name, has_orders)
        order by place""",
    "trust-day-kinds": """
        select name, (select count(*) from d where d.kind = kinds.kind)
        from (values (1, 'complete', 'complete'), (2, 'incomplete', 'incomplete'),
            (3, 'catch-up', 'catch_up')) as kinds(place, name, kind) order by place""",
    "trust-marked-days": """
        select day, kind, events, units, revenue from by_day where not is_whole
        order by day desc limit 60""",
    "trust-anomalies": """
        with earlier as (
            select a.day, a.kind, a.revenue, list(b.revenue::double) as values
            from by_day as a join by_day as b
                on isodow(a.day) = isodow(b.day) and b.day < a.day and b.day >= a.day - 56
                and b.is_whole
            group by all having count(*) >= 4
        ), middles as (select *, list_median(values) as middle from earlier)
        select day, kind, revenue, middle, (revenue - middle) / 1.4826
            / list_median(list_transform(values, lambda value: abs(value - middle))) as score
        from middles order by abs(score) desc, day limit 10""",
    "trust-reasons": """
        select split_part(rejection_reasons, ',', 1), count(*)
        from silver_layer.events_quarantined group by 1 order by 2 desc, 1""",
    "trust-files": """
        with rows as (
            select _source_file as path, max(_ingested_at) as loaded, count(*) as number
            from bronze_layer.events_raw group by 1
        )
        select regexp_extract(path, '[^/]*$'), any_value(loaded), any_value(number),
            count(*) filter (where rejection_reasons = 'duplicate') as copies,
            count(rejection_reasons) - copies,
            (count(rejection_reasons) - copies) / any_value(number)
        from rows left join silver_layer.events_quarantined on path = _source_file
        group by path order by 5 desc, 4 desc, 2 desc, 1 desc limit 100""",
    "trust-runs": """
        select one.started_at, one.node, one.status, null, one.seconds,
            count_if(nodes.status = 'success'), count_if(nodes.status = 'error'),
            count_if(nodes.status = 'skipped')
        from silver_layer.run_history as one left join silver_layer.run_history as nodes
            on one.invocation_id = nodes.invocation_id
            and nodes.resource_type not in ('run', 'gate')
        where one.resource_type = 'run' group by all order by 1 desc""",
    "trust-failed-tests": """
        select started_at, test_name, table_name, status, failures, (
            select min(later.started_at) from silver_layer.test_history as later
            where later.test_name = test.test_name and later.status = 'pass'
                and later.started_at > test.started_at)
        from silver_layer.test_history as test where status in ('fail', 'warn', 'error')
        order by 1 desc, 2""",
}


def _change(column: str) -> str:
    """Return SQL for the change of a column per complete day, and the days that it names."""
    return f"""select avg({column}) filter (where is_now and is_whole)
        / avg({column}) filter (where is_before and is_whole) - 1, 28 from by_day"""


def _month_change(column: str) -> str:
    return f"""select sum({column}) filter (where month(day) = 11)
        / sum({column}) filter (where month(day) = 10) - 1, 'Oct 2019' from by_day"""


# Of a tile with numbers in the line below its own: these numbers and names, in their order.
CHANGES: Final[Mapping[str, str]] = {
    "index/The last 28 days: Revenue": _change("revenue"),
    "index/The last 28 days: Orders": _change("orders"),
    "index/The last 28 days: Average order value": """
        select sum(revenue) filter (where is_now) / sum(orders) filter (where is_now)
            / (sum(revenue) filter (where is_before) / sum(orders) filter (where is_before)) - 1, 28
        from by_day where is_whole""",
    "index/The last 28 days: Sessions": _change("sessions"),
    "index/The last 28 days: Conversion of sessions": """
        select 100.0 * (avg(is_bought::int) filter (where is_now)
            - avg(is_bought::int) filter (where is_before)), 28
        from s join d using (day) where is_whole""",
    "index/The last 28 days: Buyers": """
        select count(distinct user_id) filter (where is_now)
            / count(distinct user_id) filter (where is_before) - 1, 28
        from o join d using (day)""",
    # One day is not complete, and one is without a purchase.
    "index/All 61 days: Complete days": """
        select strftime(day, '%-d %b'), (
            select strftime(quiet.day, '%-d %b') from d as quiet
            where quiet.is_whole and quiet.day not in (select event_date from e where is_buy))
        from d where not is_whole""",
    "sales/Month: Nov 2019: Revenue": _month_change("revenue"),
    "sales/Month: Nov 2019: Orders": _month_change("orders"),
    "sales/Month: Nov 2019: Units": _month_change("units"),
    "sales/Month: Nov 2019: Average order value": """
        select sum(revenue) filter (where month(day) = 11)
            / sum(orders) filter (where month(day) = 11)
            / (sum(revenue) filter (where month(day) = 10)
                / sum(orders) filter (where month(day) = 10)) - 1, 'Oct 2019' from by_day""",
    "sales/Month: Nov 2019: New buyers": _month_change("new_buyers"),
    "customers/At a glance: Repeat within 30 days": """
        select count(*), 30 from o where place = 1 and day <= (select max(day) from d) - 30""",
    "customers/At a glance: Median days to the second order": (
        "select count(*) from o where place = 2"
    ),
    "funnel/Abandoned carts: Bought later": "select count_if(is_observed) from lines",
    "funnel/Abandoned carts: Still open": "select count_if(not is_known) from lines",
    "prices/At a glance: Median elasticity": "select count_if(is_measured) from moves",
    "trust/At a glance: Newest file loaded": """
        select strftime(max(_ingested_at), '%Y-%m-%d %H:%M') from bronze_layer.events_raw""",
    "trust/At a glance: Files": "select count(*) from bronze_layer.events_raw",
    "trust/At a glance: Clean events": "select count(*) from silver_layer.events_quarantined",
    "trust/At a glance: Rows that break a rule": """
        select count(*) / (select count(*) from bronze_layer.events_raw)
        from silver_layer.events_quarantined where rejection_reasons <> 'duplicate'""",
}
_FIRST_PAIR: Final = """
    select "Brand" || ' ' || "First product" || ' + ' || "Brand_4" || ' ' || "Second product",
        "Times"
    from figure limit 1"""
_TOTAL: Final = 'select sum("Revenue"), count(*) from figure'
# Of a figure with a finding for a title: its names and numbers in their order, from the rows above
# by the names of the page's columns; a name that is there before has the column's place behind it.
TITLES: Final[Mapping[str, str]] = {
    "index-revenue-by-day": _TOTAL,
    "index-sessions-by-day": """
        select "Day", "Sessions" from figure where "Kind" = 'complete' order by 2 desc limit 1""",
    "index-conversion-by-day": """
        select "Day", "Conversion" from figure where "Kind" = 'complete' order by 2 desc limit 1""",
    "index-categories": """
        select "Category", "Revenue" / (select sum(revenue) from o) from figure limit 1""",
    "index-brands": 'select "Brand", "Revenue" from figure limit 1',
    "index-visitors-by-month": 'select "Month", "Visitors" from figure order by 2 desc limit 1',
    "index-new-visitors-by-day": 'select sum("New visitors"), count(*) from figure',
    "index-metrics": "select count(*) from figure",
    "sales-months": 'select "Month", "Revenue" from figure order by 2 desc limit 1',
    "sales-months-orders": 'select "Month", "Orders" from figure order by 2 desc limit 1',
    "sales-revenue-by-day": _TOTAL,
    "sales-orders-by-day": 'select sum("Orders"), count(*) from figure',
    "sales-weekdays": 'select "Weekday", "Revenue a day" from figure order by 2 desc limit 1',
    "sales-hours": """
        select "Weekday", "Hour" || ':00' from figure order by "Purchases a day" desc,
            array_position(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'], "Weekday"), "Hour"
        limit 1""",
    "sales-order-sizes": "select avg((units > 1)::int) from o",
    "sales-order-values": "select median(revenue) from o",
    "customers-segments": (
        'select "Segment", "Revenue" / sum("Revenue") over () from figure limit 1'
    ),
    "customers-expected": 'select sum("Expected in 90 days"), 90 from figure',
    "customers-new-and-returning": """
        select sum(revenue) filter (where place > 1) / sum(revenue) from o""",
    "customers-second-orders": """
        select sum("Customers") filter (where "Days after the first" in ('same day', '1-3', '4-7'))
            / sum("Customers") from figure""",
    "customers-scores": """
        select "Recency", "Frequency", "Revenue", "Customers" from figure
        order by 3 desc limit 1""",
    "customers-rfm": """
        select "RFM segment", "Buyers" / sum("Buyers") over (), "Revenue" / sum("Revenue") over ()
        from figure limit 1""",
    "customers-tenths": 'select "Share" from figure where "Tenth" = 1',
    "customers-churn": """
        select sum("Buyers") filter (where "Risk" = 'high')::int, sum("Buyers")::int from figure""",
    "cohorts-returns": """
        select sum("Returning") / sum("Customers") from figure
        where "Weeks since" = 1 and "Return rate" is not null""",
    "cohorts-value": """
        select sum("Revenue") / sum("Customers") from figure
        where "Weeks since" = 0 and "Revenue" is not null""",
    "products-curve": """
        select "Best share of products", "Share of the revenue" from figure
        order by 1 limit 1 offset 3""",
    "products-classes": """
        select "Products", 'class A', "Revenue" from figure where "Class" = 'A'""",
    "products-best": """select 'Product ' || "Product", "Revenue" from figure limit 1""",
    "products-trends": """select 'Product ' || "Product", "Difference", 28 from figure limit 1""",
    "products-seen-not-sold": """select 'Product ' || "Product", "Views" from figure limit 1""",
    "categories-growth": 'select "Category", "Change" from figure limit 1',
    "categories-subcategories": """
        select "Category" || ' / ' || "Subcategory" from figure limit 1""",
    "categories-weekly": "select 'week by week'",
    "categories-brand-shares": """
        select "Brand", "Share", "Month" from figure where "Month" = 'Nov 2019' limit 1""",
    "categories-loyalty": 'select "Brand", "Loyalty", "Subcategory" from figure limit 1',
    "categories-switches": 'select "From", "To", "Times" from figure limit 1',
    "funnel-steps": """
        select "Share of sessions" from figure where "Step" = 'with a purchase'""",
    "funnel-abandonment": """
        select avg((not is_bought)::int) from s join d using (day) where is_carted and is_whole""",
    "funnel-categories": """
        select 100, "Category", "Conversion" from figure where "Sessions" >= 100
        order by 3 desc limit 1""",
    "funnel-cart-categories": """
        select "Category", "Value" / sum("Value") over () from figure limit 1""",
    "funnel-recovery": 'select "Category", "Bought later" from figure limit 1',
    "funnel-cart-products": """select 'product ' || "Product", "Value" from figure limit 1""",
    "prices-sizes": """
        select sum("Changes") filter (where "Change up to" in ('> -10%', 'to +10%'))
            / sum("Changes"), '10%' from figure""",
    "prices-weeks": """
        select sum("Changes") filter (where "Direction" = 'cuts')::int,
            sum("Changes") filter (where "Direction" = 'rises')::int from figure""",
    "prices-categories": """
        select "Category", "Changes" from figure where "Category" <> '(none)' limit 1""",
    "prices-elasticities": """
        select count(*) filter (where "Elasticity" < -1), count(*) from figure""",
    "paths-pairs-order": _FIRST_PAIR,
    "paths-pairs-customer": _FIRST_PAIR,
    "paths-paths": """
        select "Share of the row", "To" from figure where "From" = '(entry)'
        order by 1 desc limit 1""",
    "trust-tie-out": 'select any_value("Revenue"), count(*) from figure',
    "trust-day-kinds": """
        select sum("Days") filter (where "Kind" = 'complete')::int, sum("Days")::int from figure""",
    "trust-marked-days": "select count(*) from d where not is_whole",
    "trust-anomalies": 'select "Day" from figure limit 1',
    "trust-reasons": "select count(*) from silver_layer.events_quarantined",
    "trust-files": """
        select count(*) filter (where "Rejected" > 0), count(*) filter (where "Duplicates" > 0)
        from figure""",
    "trust-runs": """
        select count(*) filter (where status = 'pass'), count(*) from silver_layer.test_history
        where started_at = (select max(started_at) from silver_layer.test_history)""",
    "trust-failed-tests": """
        select count(*), count(*) filter (where "Healed" is null) from figure""",
}
