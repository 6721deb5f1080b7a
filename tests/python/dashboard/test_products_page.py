"""The page Products compares with the 28 days before only where the data reach back to them."""

from __future__ import annotations

import duckdb
import pytest

from dashboard.pages import products
from dashboard.tables import Tables

GOLD = """
create schema gold_layer;
create table gold_layer.product_performance as
select
    1 as product_id, 'electronics.clocks' as category_code, 'casio' as brand, 'A' as pareto_class,
    10 as views, 5 as viewers, 2 as carts, 1 as purchases, 9.5 as revenue, 1.0 as revenue_share,
    1 as revenue_rank, 0.1 as view_to_purchase_rate, 9.5 as current_price, 9.5 as revenue_28d,
    {before} as revenue_28d_before, null::double as revenue_change_rate_28d;
"""


@pytest.mark.parametrize(
    ("before", "note", "rows"),
    [
        ("null::decimal(18, 2)", "It takes 56 days to compare 28 with the 28 before.", 0),
        ("0.0", "Revenue of the last 28 days less that of the 28 before", 1),
    ],
)
def test_products_rise_and_fall_against_a_whole_period(before: str, note: str, rows: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(GOLD.format(before=before))
        page = products.build(Tables(connection))
    [trends] = [
        figure for section in page.sections for figure in section.figures if figure.name == "trends"
    ]
    assert trends.caution.startswith(note)
    assert len(trends.rows) == rows
