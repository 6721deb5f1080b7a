"""What each column of a mart says about adding up, compared with the data.

`adds_up_over` in a column's meta names the key columns over whose rows a sum of it has a meaning:
the sum is then the number that the shop has, counted from the clean events and sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import pytest

from support.event_batches import line, write
from support.platform_runs import Home

EVENTS = "silver_layer.events_cleaned"
SESSIONS = "silver_layer.sessions"
BUYERS = "silver_layer.user_activity where orders > 0"
PURCHASED = f"select sum(price) from {EVENTS} where event_type = 'purchase'"
LAST_DATE = f"(select max(event_date) from {EVENTS})"
# The shop's number of each column that counts something, whatever the mart.
TOTALS = {
    "events": f"select count(*) from {EVENTS}",
    "views": f"select count(*) from {EVENTS} where event_type = 'view'",
    "carts": f"select count(*) from {EVENTS} where event_type = 'cart'",
    "cart_removals": f"select count(*) from {EVENTS} where event_type = 'remove_from_cart'",
    "purchases": f"select count(*) from {EVENTS} where event_type = 'purchase'",
    "units": f"select count(*) from {EVENTS} where event_type = 'purchase'",
    "price_sum": f"select sum(price) from {EVENTS}",
    "revenue": f"select sum(price) from {EVENTS} where event_type = 'purchase'",
    "revenue_7d": f"{PURCHASED} and event_date > {LAST_DATE} - 7",
    "revenue_28d": f"{PURCHASED} and event_date > {LAST_DATE} - 28",
    "revenue_28d_before": (
        f"{PURCHASED} and event_date between {LAST_DATE} - 55 and {LAST_DATE} - 28"
    ),
    "session_revenue": f"select sum(price) from {EVENTS} where event_type = 'purchase'",
    "revenue_share": "select 1",
    "active_days": f"select count(distinct event_date) from {EVENTS}",
    "visitors": f"select count(distinct user_id) from {EVENTS}",
    "new_visitors": f"select count(distinct user_id) from {EVENTS}",
    "viewers": f"select count(distinct user_id) from {EVENTS} where event_type = 'view'",
    "buyers": f"select count(*) from {BUYERS}",
    "new_buyer_revenue": f"""
        select sum(price) from {EVENTS} as later where event_type = 'purchase' and not exists (
            select 1 from {EVENTS} as earlier
            where earlier.event_type = 'purchase' and earlier.user_id = later.user_id
            and earlier.event_date < later.event_date
        )
    """,
    "new_buyers": f"select count(*) from {BUYERS}",
    "buyers_acquired": f"select count(*) from {BUYERS}",
    "buyers_acquired_left_censored": f"""
        select count(*) from {BUYERS}
        and first_order_at::date < (select min(event_date) from {EVENTS}) + 3
    """,
    "sessions_with_first_order": f"select count(*) from {BUYERS}",
    "sessions": f"select count(*) from {SESSIONS}",
    "engaged_seconds": f"select sum(duration_seconds) from {SESSIONS}",
    "orders": f"select count(*) from {SESSIONS} where purchases > 0",
    "orders_started": f"select count(*) from {SESSIONS} where purchases > 0",
    "sessions_with_purchase": f"select count(*) from {SESSIONS} where purchases > 0",
    "purchase_sessions": f"select count(*) from {SESSIONS} where purchases > 0",
    "sessions_with_view": f"select count(*) from {SESSIONS} where views > 0",
    "view_sessions": f"select count(*) from {SESSIONS} where views > 0",
    "sessions_with_cart": f"select count(*) from {SESSIONS} where carts > 0",
    "cart_sessions": f"select count(*) from {SESSIONS} where carts > 0",
    "abandoned_carts": f"select count(*) from {SESSIONS} where carts > 0 and purchases = 0",
    # No user removes one of these or buys it before the last cart event of the session.
    "open_cart_value": f"""
        select sum(price) from (
            select min_by(price, -epoch(event_time)) as price from {EVENTS} as carted
            where event_type = 'cart' and event_date > {LAST_DATE} - 7 and not exists (
                select 1 from {EVENTS} as bought
                where bought.event_type = 'purchase' and bought.user_id = carted.user_id
                and bought.product_id = carted.product_id
                and bought.event_time >= carted.event_time
            )
            group by session_id, product_id
        )
    """,
    "sessions_view_then_cart": f"select count(*) from {SESSIONS} where is_view_then_cart",
    "sessions_view_cart_purchase_in_order": (
        f"select count(*) from {SESSIONS} where is_view_cart_purchase_in_order"
    ),
    "sessions_with_cart_and_purchase": (
        f"select count(*) from {SESSIONS} where carts > 0 and purchases > 0"
    ),
    "sessions_purchase_without_cart": (
        f"select count(*) from {SESSIONS} where carts = 0 and purchases > 0"
    ),
    "price_changes": """
        select count(*) from silver_layer.product_history
        where price > 0 and price <> previous_price
    """,
    # All lines but the first of each buyer in a category.
    "switches": f"""
        select sum(lines - 1) from (
            select count(distinct (session_id, product_id, category_code, brand)) as lines
            from {EVENTS} where event_type = 'purchase' and split_part(category_code, '.', 2) <> ''
            group by user_id, split_part(category_code, '.', 1), split_part(category_code, '.', 2)
        )
    """,
    # Into each run of events of one category, and out of the last one of the session.
    "steps": f"""
        select count(*) + count(distinct session_id) from (
            select session_id, level, lag(level) over (
                partition by session_id order by event_time, level
            ) as previous
            from (
                select *, coalesce(nullif(split_part(category_code, '.', 1), ''), '(none)') as level
                from {EVENTS}
            )
        )
        where previous is distinct from level
    """,
    "expected_orders_90d": (
        "select sum(expected_orders_90d) from intermediate_layer.customer_lifetime_value"
    ),
    "expected_revenue_90d": (
        "select sum(expected_revenue_90d) from intermediate_layer.customer_lifetime_value"
    ),
}


# Sessions that reach each step in two categories, with a cart and without: hardly any generated
# order has two. The whole shop has each once.
ORDERS = [
    # The generator removes nothing from a cart.
    line("2019-10-05 12:00:00", "remove_from_cart", user=3),
    # The generated days are the newest 14, to 14 October; this user comes in two months.
    line("2019-09-10 12:00:00", "purchase", user=1),
    # Begins the data 56 days before their end, so that the 28 days before the newest 28 are whole.
    line("2019-08-20 12:00:00", "purchase", user=4),
    *(
        line(f"2019-10-05 {hour}:{minute}:00", kind, product=product, code=code, user=user)
        for user, hour, kinds in (
            (1, 10, ("view", "cart", "purchase")),
            (2, 11, ("view", "purchase")),
        )
        for product, code in ((101, "kids.toys"), (102, "auto.tires"))
        for minute, kind in enumerate(kinds, start=10)
    ),
]


@dataclass(frozen=True)
class Column:
    """A column of a mart, with the key columns that it claims to add up over."""

    mart: str
    name: str
    is_number: bool
    key: set[str]
    claim: set[str]

    def total(self, shop: duckdb.DuckDBPyConnection, where: str = "true") -> float:
        return number(shop, f"select sum({self.name}) from gold_layer.{self.mart} where {where}")


@cache
def number(shop: duckdb.DuckDBPyConnection, query: str) -> float:
    """Return the only value of a query, which is not 0."""
    [(value,)] = shop.sql(query).fetchall()
    assert value, f"the data has none: {query}"
    return float(value)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = Home(tmp_path_factory.mktemp("additivity"))
    home.load_generated(events=20_000, days=14)
    write(home.folder / "more" / "orders.csv", ORDERS)
    home.load(home.folder / "more")
    home.dbt("run", "--vars", "left_censored_days: 3")
    with duckdb.connect(str(home.database)) as connection:
        # So few buyers determine no model.
        connection.execute(
            "update intermediate_layer.customer_lifetime_value"
            " set expected_orders_90d = age_days / 64, expected_revenue_90d = age_days * 1.25"
        )
    home.dbt("run", "--vars", "left_censored_days: 3", "--select", "customer_metrics")
    with duckdb.connect(str(home.database), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def columns(manifest: dict[str, Any]) -> list[Column]:
    def found() -> Iterator[Column]:
        for node in manifest["nodes"].values():
            if node["resource_type"] == "model" and node["schema"] == "gold_layer":
                [key] = [c for c in node["constraints"] if c["type"] == "primary_key"]
                for column in node["columns"].values():
                    assert "adds_up_over" in column["meta"], (
                        f"{node['original_file_path']}: column {column['name']} has no"
                        " `adds_up_over` in its meta; [] if no sum of it has a meaning"
                    )
                    yield Column(
                        node["name"],
                        column["name"],
                        column["data_type"].startswith(("bigint", "int", "double", "decimal")),
                        set(key["columns"]),
                        set(column["meta"]["adds_up_over"]),
                    )

    return list(found())


def test_every_column_of_a_mart_says_whether_it_adds_up(columns: list[Column]) -> None:
    assert len(columns) > 100
    for column in columns:
        assert column.claim <= column.key, column
        assert column.is_number or not column.claim, column
        # What has no number of the shop is a rate, a rank, an average or a key.
        assert column.name in TOTALS or not column.claim, (
            f"{column.mart}.{column.name} adds up to no number of the shop: add its query to TOTALS"
            " in this file, or take its key columns out of `adds_up_over`"
        )


@pytest.mark.slow
def test_columns_add_up_to_the_number_of_the_shop_as_they_claim(
    shop: duckdb.DuckDBPyConnection, columns: list[Column]
) -> None:
    wrong = []
    for column in columns:
        if column.name in TOTALS and column.mart != "conversion_funnel":
            total, found = number(shop, TOTALS[column.name]), column.total(shop)
            if (found == pytest.approx(total, rel=1e-9)) != bool(column.claim):
                wrong.append(f"{column}: the rows {found}, the shop {total}")
    assert wrong == []


@pytest.mark.slow
def test_the_whole_shop_and_its_categories_add_up_as_they_claim(
    shop: duckdb.DuckDBPyConnection, columns: list[Column]
) -> None:
    """The rows of (all) repeat the others: a sum takes the ones or the others."""
    wrong = []
    for column in columns:
        if column.name in TOTALS and column.mart == "conversion_funnel":
            total = number(shop, TOTALS[column.name])
            whole = column.total(shop, "category_l1 = '(all)'")
            [(categories,)] = shop.sql(
                f"select sum({column.name}) from gold_layer.conversion_funnel"
                " where category_l1 <> '(all)'"
            ).fetchall()
            found = {"event_date"} if whole == pytest.approx(total) else set()
            found |= {"category_l1"} if float(categories) == pytest.approx(total) else set()
            if found != column.claim:
                wrong.append(f"{column}: (all) {whole}, categories {categories}, the shop {total}")
    assert wrong == []


@pytest.mark.slow
def test_cohorts_have_all_buyers_and_all_orders_of_the_weeks_that_have_ended(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    cohorts = "gold_layer.customer_cohorts"
    first_weeks = f"select sum(customers) from {cohorts} where weeks_since_first_order = 0"
    assert number(shop, first_weeks) == number(shop, TOTALS["buyers"])
    ended = f"order_date < (select date_trunc('week', max(event_date) + 1) from {EVENTS})"
    for column, orders in (("orders", "count(*)"), ("revenue", "sum(revenue)")):
        found = number(shop, f"select sum({column}) from {cohorts}")
        assert found == number(shop, f"select {orders} from gold_layer.orders where {ended}")
        # The data ends within a week.
        assert found < number(shop, f"select {orders} from gold_layer.orders")
