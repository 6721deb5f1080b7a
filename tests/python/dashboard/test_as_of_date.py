"""An as-of date after the newest event: the pages count from it, as the marts do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from dashboard import formats
from dashboard.pages import trust
from dashboard.tables import Tables

# Sixty days of data to 29 November; a buyer of each of four days.
GOLD = """
create schema gold_layer;
create schema silver_layer;
create table silver_layer.source_files as select timestamp '2019-11-30 01:00:00' as _ingested_at;
create table gold_layer.customer_metrics as
select
    date '2019-12-09' as as_of_date, 1 as orders, first_order_at,
    null::timestamp as second_order_at, null::bigint as days_to_second_order,
    days_observed_after_first_order
from (values
    (timestamp '2019-10-14 10:00:00', 46), (timestamp '2019-10-15 10:00:00', 45),
    (timestamp '2019-11-09 10:00:00', 20), (timestamp '2019-11-12 10:00:00', 17)
) as buyers(first_order_at, days_observed_after_first_order);
create table gold_layer.daily_sales_summary as
select
    day::date as event_date, true as is_complete, 1 as revenue, 1 as orders, 1 as purchases,
    1 as sessions, 1 as sessions_with_purchase, 1 as new_visitors, 1 as new_buyers,
    1 as new_buyer_revenue
from generate_series(date '2019-10-01', date '2019-11-29', interval 1 day) as days(day);
create table gold_layer.category_brand_days as
select event_date, 'appliances' as category_l1, 10 as revenue, 1 as purchases, 1 as views
from gold_layer.daily_sales_summary;
create table gold_layer.conversion_funnel as
select
    event_date, '(all)' as category_l1, 1 as sessions_with_view, 1 as sessions_view_then_cart,
    1 as sessions_with_cart, 1 as sessions_with_cart_and_purchase
from gold_layer.daily_sales_summary;
create table gold_layer.monthly_visitors as
select month_start, true as is_whole_month, 1 as visitors, 1 as buyers
from (values (date '2019-10-01'), (date '2019-11-01')) as months(month_start);
create table gold_layer.orders as
select
    user_id, order_date, 1 as order_number, null::int as days_since_previous_order
from (values
    (1, date '2019-10-14'), (2, date '2019-10-15'), (3, date '2019-11-09'), (4, date '2019-11-12')
) as buyers(user_id, order_date);
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(GOLD)
        yield connection


def test_pages_count_from_the_as_of_date_of_the_marts(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    tables = Tables(connection)
    assert tables.row("shop", "buyers") == {"buyers": 4, "buyers_28d": 1, "buyers_28d_before": 2}
    assert tables.row("customers", "repeat_rate")["observed_buyers"] == 2
    assert [
        month["buyers_observed_30_days"] for month in tables.rows("shop", "metrics_by_month")
    ] == [2, 0]
    # Of the 28 days to 9 December the data has eighteen, all of them after the 11th.
    connection.execute(
        "update gold_layer.category_brand_days set revenue = 40"
        " where event_date > date '2019-11-11'"
    )
    [category] = Tables(connection).rows("categories", "categories")
    assert (category["daily_revenue"], category["change_rate"]) == (40, 3)


def shown(tables: Tables) -> tuple[str, str]:
    tile = trust.newest_event(tables.row("shop", "state"))
    return tile.value, tile.change.text


def test_the_newest_event_is_not_taken_for_the_as_of_date(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    newest = formats.day(date(2019, 11, 29))
    as_of = formats.day(date(2019, 12, 9))
    expected = (newest, f"recency counts from {as_of}, the as-of date")
    assert shown(Tables(connection)) == expected
    connection.execute("update gold_layer.customer_metrics set as_of_date = date '2019-11-29'")
    expected = (newest, "recency counts from this day, not from today")
    assert shown(Tables(connection)) == expected
