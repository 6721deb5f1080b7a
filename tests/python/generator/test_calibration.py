"""One million generated events, compared with the published figures of the real shop.

`--generated-events 110000000` compares as many events as were published.

Sources (see `generator/published.py`): CP = CommercePulse repository, AT = AlkaifTraine
repository, CR = CRISP-DM notebook, DL = "Decision Log" notebook, FL = "Findings Log" notebook.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from generator.generate import generate

PUBLISHED_EVENTS = 109_950_743


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[duckdb.DuckDBPyConnection]:
    folder: Path = tmp_path_factory.mktemp("shop")
    generate(pytestconfig.getoption("generated_events"), date(2019, 10, 1), 61, 42, folder)
    connection = duckdb.connect(str(folder / "shop.duckdb"))
    connection.execute("set memory_limit = '8GB'; set preserve_insertion_order = false")
    connection.execute(f"""
        create table events as
        select strptime(event_time, '%Y-%m-%d %H:%M:%S UTC') as event_time, * exclude (event_time)
        from read_csv('{folder}/events_*.csv', header = true, columns = {{
            event_time: 'varchar', event_type: 'varchar', product_id: 'bigint',
            category_id: 'bigint', category_code: 'varchar', brand: 'varchar',
            price: 'decimal(18,2)', user_id: 'bigint', user_session: 'varchar'}});
        create table sessions as
        select user_session, any_value(user_id) as user_id, count(*) as events,
            count(*) filter (where event_type = 'cart') as carts,
            count(*) filter (where event_type = 'purchase') as purchases,
            epoch(max(event_time) - min(event_time)) as seconds
        from events where user_session is not null group by user_session;
        create table users as
        select user_id, count(*) as sessions,
            count(*) filter (where purchases > 0) as orders
        from sessions group by user_id;
    """)
    yield connection
    connection.close()


def value(shop: duckdb.DuckDBPyConnection, query: str) -> float:
    return float(shop.execute(query).fetchall()[0][0])


def share(shop: duckdb.DuckDBPyConnection) -> float:
    """Return the generated share of the published number of events."""
    return value(shop, "select count(*) from events") / PUBLISHED_EVENTS


@pytest.mark.parametrize(
    ("published", "query"),
    [
        # CP: event types and nulls over 109,950,743 rows.
        (0.94893, "select avg((event_type = 'view')::int) from events"),
        (0.03598, "select avg((event_type = 'cart')::int) from events"),
        (0.01510, "select avg((event_type = 'purchase')::int) from events"),
        (0.3221, "select avg((category_code is null)::int) from events"),
        (0.1394, "select avg((brand is null)::int) from events"),
        # NA notebook: derived from the rows with both category code and brand.
        (0.267, "select avg((brand is null)::int) from events where category_code is null"),
        # AT: events per session; CP: the mean.
        (2, "select median(events) from sessions"),
        (11, "select quantile_disc(events, 0.9) from sessions"),
        (35, "select quantile_disc(events, 0.99) from sessions"),
        (4.78, "select avg(events) from sessions"),
        (0.3592, "select avg((events = 1)::int) from sessions"),  # FL
        # CP: sessions with a cart, with a purchase, purchases without a cart.
        (0.1006, "select avg((carts > 0)::int) from sessions"),
        (0.06095, "select avg((purchases > 0)::int) from sessions"),
        (0.3297, "select avg((carts = 0)::int) from sessions where purchases > 0"),
        (1.18, "select avg(purchases) from sessions where purchases > 0"),  # FL
        (0.4059, "select avg((purchases > 0)::int) from sessions where carts > 0"),
        # CR: prices.
        (291.63, "select avg(price) from events"),
        (164.16, "select median(price) from events"),
        (304.35, "select avg(price) from events where event_type = 'purchase'"),
        (300.25, "select avg(price) from events where event_type = 'cart'"),
        (2574.07, "select max(price) from events"),
        # CP: users, buyers.
        (5_316_649 / 23_016_650, "select (select count(*) from users) / count(*) from sessions"),
        (0.1312, "select avg((orders > 0)::int) from users"),
        # DL: orders per buyer, buyers who buy again.
        (1.85, "select avg(orders) from users where orders > 0"),
        (0.334, "select avg((orders > 1)::int) from users where orders > 0"),
        # AT: the ten most viewed products' share of events (sample of real rows).
        (
            0.06,
            """select sum(n) / (select count(*) from events) from
            (select count(*) as n from events group by product_id order by n desc limit 10)""",
        ),
        # CP: electronics' shares of events and of purchases.
        (0.3651, "select avg(coalesce(category_code like 'electronics%', false)::int) from events"),
        (
            0.5523,
            """select avg(coalesce(category_code like 'electronics%', false)::int) from events
            where event_type = 'purchase'""",
        ),
        # CP: cart shares before and after the change of tracking, by month.
        (
            0.0218,
            "select avg((event_type = 'cart')::int) from events where event_time < '2019-11-01'",
        ),
        (
            0.0449,
            "select avg((event_type = 'cart')::int) from events where event_time >= '2019-11-01'",
        ),
    ],
)
def test_within_ten_percent_of_the_published_figure(
    shop: duckdb.DuckDBPyConnection, published: float, query: str
) -> None:
    assert value(shop, query) == pytest.approx(published, rel=0.1)


@pytest.mark.parametrize(
    ("published", "query"),
    [
        # DL: 130,739 removable duplicates, most of them carts.
        (
            130_739,
            "select (select count(*) from events) - count(*) from (select distinct * from events)",
        ),
        # DQ notebook: zero prices.
        (256_761, "select count(*) from events where price = 0"),
    ],
)
def test_oddities_have_their_published_proportion(
    shop: duckdb.DuckDBPyConnection, published: int, query: str
) -> None:
    assert value(shop, query) == pytest.approx(published * share(shop), rel=0.35)


def test_daily_volumes_follow_the_published_series(shop: duckdb.DuckDBPyConnection) -> None:
    # JD: events of single days; sessions around midnight shift a few of them between days.
    days = {"2019-10-01": 1_244_245, "2019-11-13": 2_019_165, "2019-11-16": 6_502_957}
    for day, published in days.items():
        found = value(shop, f"select count(*) from events where event_time::date = '{day}'")
        assert found == pytest.approx(published * share(shop), rel=0.02)


def test_purchases_peak_on_the_last_day_of_the_promotion(shop: duckdb.DuckDBPyConnection) -> None:
    # AT: 185,195 purchases on November 17, none on November 15.
    by_day = dict(
        shop.execute("""
            select event_time::date, count(*) filter (where event_type = 'purchase')
            from events group by all""").fetchall()
    )
    assert by_day[date(2019, 11, 15)] == 0
    assert max(by_day, key=lambda day: by_day[day]) == date(2019, 11, 17)
    assert by_day[date(2019, 11, 17)] == pytest.approx(185_195 * share(shop), rel=0.15)


def test_views_peak_in_the_afternoon_and_purchases_in_the_morning(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    # Real rows: views peak 14-17 UTC, purchases 5-10 UTC.
    def busiest(event_type: str) -> list[int]:
        rows = shop.execute(f"""
            select hour(event_time) from events where event_type = '{event_type}'
            group by 1 order by count(*) desc limit 3""").fetchall()
        return [row[0] for row in rows]

    assert set(busiest("view")) <= set(range(8, 18))
    assert set(busiest("view")) & {14, 15, 16}
    assert set(busiest("purchase")) <= set(range(5, 12))


def test_gaps_between_events(shop: duckdb.DuckDBPyConnection) -> None:
    # Real rows: p10 11 s, median 34 s, p90 141 s.
    p10, p50, p90 = shop.execute("""
        select unnest(quantile_disc(gap, [0.1, 0.5, 0.9])) from (
            select epoch(event_time - lag(event_time) over
                (partition by user_session order by event_time)) as gap from events)
        where gap is not null""").fetchall()
    assert [p10[0], p50[0], p90[0]] == pytest.approx([11, 34, 141], rel=0.1)


def test_bought_products_were_viewed_before(shop: duckdb.DuckDBPyConnection) -> None:
    # Real rows: 99.5 % of bought products were viewed earlier in the session.
    share = value(
        shop,
        """select avg((viewed <= bought)::int) from (
            select min(event_time) filter (where event_type = 'view') as viewed,
                min(event_time) filter (where event_type = 'purchase') as bought
            from events group by user_session, product_id)
        where bought is not null""",
    )
    assert share > 0.98


def test_early_carts_are_in_few_categories(shop: duckdb.DuckDBPyConnection) -> None:
    # Real rows: apparel and furniture have almost no carts before November 8.
    query = """select count(*) from events where event_type = 'cart'
        and (category_code like 'apparel%' or category_code like 'furniture%')
        and event_time {} '2019-11-08 02:00'"""
    millions = value(shop, "select count(*) from events") / 1e6
    assert value(shop, query.format("<")) / millions < 60
    assert value(shop, query.format(">=")) / millions > 400
