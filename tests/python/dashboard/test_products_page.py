"""The page Products compares with the 28 days before only where the data reaches back to them."""

from __future__ import annotations

import duckdb
import pytest

from dashboard.pages import products
from dashboard.tables import Tables

GOLD = """
create schema gold_layer;
create schema silver_layer;
create table silver_layer.source_files as select timestamp '2019-12-01 01:00:00' as _ingested_at;
create table gold_layer.daily_sales_summary as select date '2019-11-30' as event_date;
create table gold_layer.customer_metrics as select date '{as_of}' as as_of_date;
create table gold_layer.product_performance as
select
    1 as product_id, 'electronics.clocks' as category_code, 'casio' as brand, 'A' as pareto_class,
    10 as views, 5 as viewers, 2 as carts, 1 as purchases, 9.5 as revenue, 1.0 as revenue_share,
    1 as revenue_rank, 0.1 as view_to_purchase_rate, 9.5 as current_price, 9.5 as revenue_28d,
    {before} as revenue_28d_before, null::double as revenue_change_rate_28d;
"""


@pytest.mark.parametrize(("sold", "revenue"), [(7, 9.5), (20, 0), (20, 9.5), (50, 9.5)])
def test_shares_of_few_or_free_products_claim_nothing(sold: int, revenue: float) -> None:
    with duckdb.connect() as connection:
        connection.execute(GOLD.format(before="null", as_of="2019-11-30"))
        connection.execute(
            "create or replace table gold_layer.product_performance as"
            f" select product_id, product_id as revenue_rank, 1 as purchases, {revenue} as revenue"
            f" from range({sold}) as products(product_id)"
        )
        figure = products._curve(Tables(connection))
    shares = [(row["product_share"], row["cumulative_share"]) for row in figure.rows]
    assert shares[-1] == (1, 1 if revenue else None)
    titles = {(20, 9.5): "The best 20.0% of", (50, 9.5): "The best 24.0% of"}
    assert figure.title.startswith(titles.get((sold, revenue), "Share of the revenue by share of"))


@pytest.mark.parametrize(
    ("before", "as_of", "note", "rows"),
    [
        (
            "null::decimal(18, 2)",
            "2019-11-30",
            "It takes 56 days to compare 28 with the 28 before.",
            0,
        ),
        ("0.0", "2019-11-30", "Revenue of the last 28 days less that of the 28 before", 1),
        (
            "0.0",
            "2019-12-01",
            "Revenue of the last 28 days (the data lacks 1 day of it) less",
            1,
        ),
    ],
)
def test_products_rise_and_fall_against_a_whole_period(
    before: str, as_of: str, note: str, rows: int
) -> None:
    with duckdb.connect() as connection:
        connection.execute(GOLD.format(before=before, as_of=as_of))
        page = products.build(Tables(connection))
    [trends] = [
        figure for section in page.sections for figure in section.figures if figure.name == "trends"
    ]
    assert trends.caution.startswith(note)
    assert len(trends.rows) == rows
