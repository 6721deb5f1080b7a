"""What pages say of rows that a shop of the tests does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from dashboard.pages import customers
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
