"""Planted faults: one bad line for each rejection rule is quarantined with its reason."""

from __future__ import annotations

from typing import Final

import pytest

from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from support.companions import require, rule_names
from support.dirty_files import Lines
from support.platform_runs import Home

FAULTS: Final = {
    "malformed_line": {"brand": "of,two"},
    "empty_row": dict.fromkeys(PUBLISHED_COLUMN_NAMES, ""),
    "invalid_event_time": {"event_time": "1970-01-01 00:00:00 UTC"},
    "unknown_event_type": {"event_type": "teleport"},
    "invalid_product_id": {"product_id": "2.05E+18"},
    "missing_product_id": {"product_id": "0"},
    "invalid_category_id": {"category_id": "NULL"},
    "missing_category_id": {"category_id": ""},
    "invalid_user_id": {"user_id": "abc"},
    "missing_user_id": {"user_id": "-1"},
    "missing_user_session": {"user_session": "  "},
    "invalid_price": {"price": "-0.01"},
    "zero_price_purchase": {"event_type": "Purchase", "price": "0.00"},
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One file with a good line, a duplicate of it, and one line per rule."""
    home = Home(tmp_path_factory.mktemp("planted"))
    lines = Lines()
    good = lines.line()
    bad = [lines.line(**fault) for fault in FAULTS.values()]
    landing = home.folder / "events.csv"
    landing.write_text(
        "\n".join([",".join(PUBLISHED_COLUMN_NAMES), good, *bad, good]) + "\n", encoding="utf-8"
    )
    home.load(landing)
    home.dbt("run", "--select", "+events_quarantined")
    return home


@pytest.mark.parametrize("reason", [*FAULTS, "duplicate"])
def test_a_planted_fault_is_quarantined_with_its_reason(planted: Home, reason: str) -> None:
    assert planted.query(
        f"select count(*) from silver_layer.events_quarantined where rejection_reason = '{reason}'"
    ) == [(1,)]


def test_an_empty_row_has_one_reason(planted: Home) -> None:
    assert planted.query(
        "select rejection_reasons from silver_layer.events_quarantined"
        " where rejection_reason in ('empty_row', 'malformed_line') order by 1"
    ) == [("empty_row",), ("malformed_line",)]


def test_only_the_good_line_is_clean(planted: Home) -> None:
    assert planted.query("select count(*) from silver_layer.events_cleaned") == [(1,)]


def test_every_rule_has_its_fault() -> None:
    require(FAULTS, rule_names(), "FAULTS in tests/python/models/test_quarantine.py")
