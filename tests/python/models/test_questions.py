"""The business questions: each query answers, whatever the order of stored rows, and is right.

`UPDATE_GOLDEN=1 python -m pytest tests/python/models/test_questions.py` writes docs/questions.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pytest

from project.home import CHECKOUT
from project.questions import Question, read_questions
from support.platform_runs import Home

pytestmark = pytest.mark.slow

QUESTIONS: Final = read_questions()
PAGE: Final = CHECKOUT / "docs" / "questions.md"
EVENTS: Final = "silver_layer.events_cleaned"
# So few events make no pair, no brand of twenty pairs and no outlier.
MAY_BE_EMPTY: Final = {"12_bought_together", "19_brand_loyalty", "29_unusual_days"}
PURCHASES: Final = f"(select * from {EVENTS} where event_type = 'purchase')"
# The first two orders of each buyer, counted from the events.
FIRST_ORDERS: Final = f"""
    select user_id, min(ordered_on) filter (where number = 1) as first_date,
        min(ordered_on) filter (where number = 2) as second_date,
        (select max(event_date) from {EVENTS}) as last_date
    from (
        select user_id, min(event_time)::date as ordered_on,
            row_number() over (partition by user_id order by min(event_time), session_id) as number
        from {PURCHASES} group by user_id, session_id
    ) group by user_id
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two months of few events: long enough to observe who returns within 30 days."""
    home = Home(tmp_path_factory.mktemp("questions"))
    home.load_generated(events=20_000, days=61)
    home.dbt("run")
    return home


@pytest.fixture(scope="module")
def connection(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        yield connection


def answer(connection: duckdb.DuckDBPyConnection, number: int) -> list[dict[str, Any]]:
    [question] = [question for question in QUESTIONS if question.number == number]
    found = connection.execute(question.sql)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def columns(connection: duckdb.DuckDBPyConnection, question: Question) -> list[str]:
    return [name for name, *_ in connection.execute(f"describe {question.sql}").fetchall()]


def value(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    [(found,)] = connection.execute(query).fetchall()
    return found


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_is_answered_without_personal_columns(
    connection: duckdb.DuckDBPyConnection, question: Question, manifest: dict[str, Any]
) -> None:
    personal = {
        column["name"]
        for node in manifest["nodes"].values()
        for column in node.get("columns", {}).values()
        if "personal"
        in {
            **(column.get("databricks_tags") or {}),
            **(column["config"].get("databricks_tags") or {}),
        }
    } | {"user_id", "session_id"}
    names = columns(connection, question)
    assert not personal & set(names)
    # Browsers and exports have no personal column to read either.
    assert not any(name in question.sql for name in personal)
    rows = connection.execute(question.sql).fetchall()
    assert rows or question.name in MAY_BE_EMPTY


def test_answers_do_not_depend_on_the_order_of_stored_rows(home: Home) -> None:
    # A database without our macros, as an export is.
    with duckdb.connect() as shuffled:
        shuffled.execute(f"attach '{home.database}' as built (read_only)")
        shuffled.execute("create schema gold_layer")
        marts = shuffled.execute(
            "select table_name from duckdb_tables()"
            " where database_name = 'built' and schema_name = 'gold_layer'"
        ).fetchall()
        for (mart,) in marts:
            shuffled.execute(
                f"create table gold_layer.{mart} as"
                f" from built.gold_layer.{mart} order by hash({mart}::text)"
            )
        differing = [
            question.name
            for question in QUESTIONS
            if home.query(question.sql) != shuffled.execute(question.sql).fetchall()
        ]
    assert differing == []


def test_visitors_of_a_month_are_no_sum_of_days(connection: duckdb.DuckDBPyConnection) -> None:
    visitors = {row["month_start"]: row["visitors"] for row in answer(connection, 3)}
    distinct = connection.execute(
        "select date_trunc('month', event_date)::date, count(distinct user_id)"
        f" from {EVENTS} group by 1"
    ).fetchall()
    assert visitors == dict(distinct)
    naive = connection.execute(
        "select date_trunc('month', event_date)::date, sum(visitors)"
        " from gold_layer.daily_sales_summary group by 1"
    ).fetchall()
    assert all(visitors[month] < days for month, days in naive)


def test_repeat_rate_is_of_buyers_who_were_observed_for_30_days(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = answer(connection, 10)
    observed = f"from ({FIRST_ORDERS}) where last_date - first_date >= 30"
    buyers = value(connection, f"select count(*) {observed}")
    repeat = value(connection, f"select count(*) {observed} and second_date - first_date <= 30")
    assert sum(row["buyers"] for row in rows) == buyers
    assert sum(row["repeat_buyers"] for row in rows) == repeat > 0
    naive = value(
        connection,
        f"select count(*) filter (where second_date is not null) / count(*) from ({FIRST_ORDERS})",
    )
    # The newest buyers had no time to return.
    assert naive < repeat / buyers


def test_time_to_the_second_order_counts_who_did_not_return(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = answer(connection, 11)
    within = sum(row["buyers"] for row in rows if not row["second_order"].startswith("5"))
    observed = f"from ({FIRST_ORDERS}) where last_date - first_date >= 28"
    assert sum(row["buyers"] for row in rows) == value(connection, f"select count(*) {observed}")
    returned = value(connection, f"select count(*) {observed} and second_date - first_date <= 28")
    assert within == returned > 0


def test_revenue_of_new_buyers_and_of_others_is_all_revenue(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = answer(connection, 7)
    new = value(
        connection,
        "select sum(price) from (select *, min(event_date) over (partition by user_id) as first"
        f" from {PURCHASES}) where event_date = first",
    )
    assert sum(row["new_buyer_revenue"] for row in rows) == new
    revenue = value(connection, f"select sum(price) from {PURCHASES}")
    assert new < revenue
    assert sum(row["returning_buyer_revenue"] for row in rows) == revenue - new


def test_the_shops_funnel_is_no_sum_of_its_categories(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = {row["category_l1"]: row for row in answer(connection, 27)}
    shop = rows.pop("(all)")
    complete = "select event_date from gold_layer.daily_sales_summary where is_complete"
    assert shop["sessions"] == value(
        connection,
        "select count(*) from (select min(event_time)::date as started_on"
        f" from {EVENTS} group by session_id) where started_on in ({complete})",
    )
    assert sum(row["sessions"] for row in rows.values()) > shop["sessions"]
    assert sum(row["revenue"] for row in rows.values()) == shop["revenue"]


def test_abandoned_lines_were_not_bought_after_they_were_put_into_the_cart(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    lines = sum(row["cart_lines"] for row in answer(connection, 14))
    kept = (
        "select session_id, product_id, min(event_time) filter (where event_type = 'cart') as put,"
        " max(event_time) filter (where event_type = 'purchase') as bought"
        f" from {EVENTS} group by 1, 2"
    )
    # Generated sessions remove nothing from a cart.
    counted = f"select count(*) from ({kept}) where put is not null"
    assert lines == value(connection, f"{counted} and coalesce(bought < put, true)") > 0


def test_recovery_is_of_carts_that_were_observed_for_its_days() -> None:
    # A newer cart is known where it was recovered, and unknown where it was not.
    with duckdb.connect() as shop:
        shop.execute("create schema gold_layer")
        shop.execute("""
            create table gold_layer.abandoned_carts as
            select 'auto' as category_l1, 1.00::decimal(18, 2) as cart_price,
                0::decimal(18, 2) as price_change_since_cart, *, is_recovered is null as is_open
            from (values (true, true), (true, false), (true, false), (true, false),
                (false, true), (false, true), (false, null)) as lines(is_observed, is_recovered)
        """)
        [row] = answer(shop, 14)
    assert row["recovery_rate"] == 0.25
    assert row["cart_lines"] == 7
    assert row["open_lines"] == 1


def test_pairs_of_orders_are_listed_beside_many_of_customers() -> None:
    with duckdb.connect() as shop:
        shop.execute("create schema gold_layer")
        shop.execute("""
            create table gold_layer.product_affinity as
            select basis, a as product_a, a + 1 as product_b, 'c' as category_a, 'c' as category_b,
                'b' as brand_a, 'b' as brand_b, 100 - a as pair_count, 0.5 as confidence_a_to_b,
                0.5 as confidence_b_to_a, if(a = 1, 1.0, 2.0) as lift
            from (values ('customer'), ('order')) as bases(basis), range(1, 61) as pairs(a)
        """)
        rows = answer(shop, 12)
    found = [(row["basis"], row["product_a"]) for row in rows]
    assert found == [(basis, a) for basis in ("customer", "order") for a in range(2, 22)]


def test_a_price_change_counts_alike_whatever_days_it_has() -> None:
    # Neither product sells more or less after its cut; the one that sells much has few days after.
    with duckdb.connect() as shop:
        shop.execute("create schema gold_layer")
        shop.execute("""
            create table gold_layer.price_changes as
            select 10.00::decimal(18, 2) as price_before, 9.00::decimal(18, 2) as price_after, *
            from (values (14, 2, 140, 20), (2, 14, 2, 14), (0, 9, 0, 5), (14, 0, 9, 0))
                as sides(days_before, days_after, units_before, units_after)
        """)
        [row] = answer(shop, 16)
    # Var price_min_change says how small a cut may be.
    assert row["price_move"] == "2: cut by less than 20 %"
    assert row["price_changes"] == 2
    assert row["units_per_day_before"] == row["units_per_day_after"] == 5.5
    assert (row["revenue_per_day_before"], row["revenue_per_day_after"]) == (55, 49.5)


def test_sessions_enter_and_leave_once(connection: duckdb.DuckDBPyConnection) -> None:
    rows = answer(connection, 21)
    sessions = value(connection, f"select count(distinct session_id) from {EVENTS}")
    assert sum(row["entries"] for row in rows) == sessions
    assert sum(row["exits"] for row in rows) == sessions


def test_orders_without_revenue_have_no_share_of_it() -> None:
    with duckdb.connect() as shop:
        shop.execute("create schema gold_layer")
        shop.execute("create table gold_layer.orders as select 0.00::decimal(18, 2) as revenue")
        assert shop.execute(QUESTIONS[27].sql).fetchall() == [("1: below 50", 1, 1, 0, None)]


def test_days_of_all_kinds_are_all_days(connection: duckdb.DuckDBPyConnection) -> None:
    rows = answer(connection, 30)
    assert sum(row["days"] for row in rows) == 61
    revenue = value(connection, f"select sum(price) from {PURCHASES}")
    assert sum(row["revenue"] for row in rows) == revenue
    assert sum(row["revenue"] for row in answer(connection, 1)) == revenue


def test_the_page_lists_each_question_with_its_query_and_columns(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    before, start, rest = PAGE.read_text("utf-8").partition("| question | query | answers with |\n")
    _, end, after = rest.partition("\n\n")
    rows = [
        f"| {question.title} | [{question.name}](../analyses/questions/{question.name}.sql) |"
        f" {', '.join(f'`{name}`' for name in columns(connection, question))} |"
        for question in QUESTIONS
    ]
    page = before + start + "\n".join(["|---|---|---|", *rows]) + end + after
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page
