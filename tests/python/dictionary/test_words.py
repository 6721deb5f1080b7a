"""Tests, grain and additivity in words."""

from __future__ import annotations

from typing import Any

import pytest

from dictionary import words


def generic(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"test_metadata": {"name": name, "kwargs": kwargs}}


def said(test: dict[str, Any]) -> words.Words:
    return words.of_test(test, ["day", "views", "carts"], {"kinds": ["a", "b"]})


@pytest.mark.parametrize(
    ("test", "of_day"),
    [
        (generic("not_null", column_name="day"), "never null"),
        (generic("unique", column_name="day"), "unique"),
        (generic("accepted_values", column_name="day", values=[1, -1]), "one of `1`, `-1`"),
        (
            generic("accepted_values", column_name="day", values="{{ var('kinds') }}"),
            "one of `a`, `b`",
        ),
        (
            generic("relationships", column_name="day", to="ref('days')", field="date"),
            "always in `days.date`",
        ),
        (
            generic("relationships", column_name="day", to="source('raw', 'files')", field="name"),
            "always in `files.name`",
        ),
        (generic("unique_key", columns=["day"]), "unique"),
        (generic("unique_key", columns=["day", "views"]), "unique with `views`"),
        (generic("row_rules", not_null=["day"]), "never null"),
        (generic("row_rules", between={"day": [0]}), "at least 0"),
        (generic("row_rules", between={"day": [0, 1]}), "0 to 1"),
        (generic("row_rules", expressions=["day < views"]), "`day < views`"),
        (generic("of_a_package", column_name="day"), "passes `of_a_package`"),
    ],
)
def test_a_test_of_a_column_is_a_phrase(test: dict[str, Any], of_day: str) -> None:
    assert said(test).columns["day"] == [of_day]


def test_a_rule_of_a_row_is_of_the_table_and_of_each_of_its_columns() -> None:
    rule = said(generic("row_rules", expressions=["views >= carts", "views + viewers > 0"]))
    assert rule.table == ["`views >= carts`", "`views + viewers > 0`"]
    assert rule.columns == {
        "views": ["`views >= carts`", "`views + viewers > 0`"],
        "carts": ["`views >= carts`"],
    }


def test_a_test_in_sql_is_called_by_its_description_or_name() -> None:
    test = {"name": "assert_days_have_no_gap", "description": ""}
    assert said(test).table == ["Days have no gap"]
    assert said({**test, "description": "No day\nis missing."}).table == ["No day is missing."]


def test_the_grain_is_the_first_sentence() -> None:
    text = "One row per user, such as `a.b`, who\ncame. Who are they?"
    assert words.grain(text) == "One row per user, such as `a.b`, who came."
    assert words.grain("") == ""


@pytest.mark.parametrize(
    ("over", "name", "type_", "expected"),
    [
        (["day", "brand"], "revenue", "decimal(18,2)", "Adds up over all rows."),
        (["day"], "sessions", "bigint", "Adds up over `day`, within one value of `brand`."),
        ([], "rate", "double", "No sum over rows is the shop's number."),
        ([], "user_id", "bigint", ""),
        ([], "name", "string", ""),
        ([], "brand", "bigint", ""),
        (None, "revenue", "decimal(18,2)", ""),
    ],
)
def test_additivity_is_a_sentence_for_what_can_be_summed(
    over: list[str] | None, name: str, type_: str, expected: str
) -> None:
    assert words.additivity(over, ["day", "brand"], name, type_) == expected
