"""What pages say of rows that a shop of the tests does not have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb

from dashboard.pages import customers, funnel
from dashboard.tables import Row, Tables


def tables_of(**results: Sequence[Row]) -> Tables:
    """Return tables whose queries, named `page__query`, have these rows."""
    named = {tuple(name.split("__")): list(rows) for name, rows in results.items()}
    return Tables(duckdb.connect(), named)  # type: ignore[arg-type]


def test_the_page_of_customers_names_the_models_behind_its_numbers() -> None:
    segment: dict[str, Any] = {"user_segment": "new", "expected_revenue_90d": 5}
    expected = customers._expected(tables_of(customers__segments=[segment]))
    assert "a model of past orders, mbg/nbd and gamma-gamma" in expected.caution.lower()
    risk = customers._churn(tables_of(customers__churn=[]))
    assert "churn_medium_risk_after_days" in risk.caution
    assert "churn_after_days" in risk.caution


def test_carts_of_a_day_without_its_purchases_are_not_abandoned() -> None:
    days: list[dict[str, Any]] = [
        {
            "event_date": date(2019, 11, day),
            "day_kind": "complete" if bought else "incomplete",
            "is_complete": bool(bought),
            "sessions_with_cart": 100,
            "sessions_with_cart_and_purchase": bought,
            "cart_abandonment_rate": 1 - bought / 100,
        }
        for day, bought in ((1, 48), (2, 0))
    ]
    title = funnel._abandonment(tables_of(funnel__days=days)).title
    assert title == "52.0% of the sessions with a cart buy nothing on complete days"
    title = funnel._abandonment(tables_of(funnel__days=days[1:])).title
    assert title == "Cart abandonment by day"
