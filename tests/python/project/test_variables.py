"""The variables of dbt_project.yml: what a run refuses of them before dbt reads the project."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import pytz

from project.errors import UserError
from project.variables import PROJECT_FILE, check_variables, project_variables


def line_of(name: str) -> str:
    """Return the line of the project file that declares a variable, whatever its value is."""
    lines = PROJECT_FILE.read_text("utf-8").splitlines(keepends=True)
    [line] = [line for line in lines if line.startswith(f"  {name}: ")]
    return line


CHURN, MEDIUM_RISK = line_of("churn_after_days"), line_of("churn_medium_risk_after_days")
EARLIEST, EVENT_TYPES = line_of("earliest_event_date"), line_of("event_types")
RECENCY, ORDERS = line_of("rfm_recency_days"), line_of("rfm_frequency_orders")
ZONE = line_of("shop_time_zone")


def test_the_committed_variables_are_accepted() -> None:
    check_variables(PROJECT_FILE)
    assert f"  churn_after_days: {project_variables()['churn_after_days']}\n" == CHURN


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (CHURN, CHURN + "  churn_afterdays: 31\n", "no var is called churn_afterdays"),
        (CHURN, CHURN * 2, "churn_after_days is there twice"),
        (CHURN, "  churn_after_days: [30\n", "line "),
        (CHURN, "\tchurn_after_days: 30\n", "line "),
        (CHURN, CHURN + "]\n", "line "),
        ("  null_words: [\n", "  null_words:\n  other: [\n", "no var is called other"),
        (EVENT_TYPES, "", "var event_types is missing; it must be a list of distinct lower-case"),
        (EVENT_TYPES, "  event_types:\n", "var event_types must be a list of distinct"),
        (EVENT_TYPES, "  event_types: 5\n", "var event_types must be a list of distinct"),
        (EVENT_TYPES, "  event_types: [view, [cart]]\n", "var event_types must be a list"),
        (EVENT_TYPES, "  event_types: [view, cart, purchase]\n", "all four counted event types"),
        (EVENT_TYPES, "  event_types: [view, view, cart]\n", "event_types must be a list of dist"),
        ('  blanks: "', '  blanks: 5\n  blank: "', "no var is called blank"),
        (EARLIEST, '  earliest_event_date: "x"\n', "must be a date, yyyy-mm-dd"),
        (EARLIEST, "  earliest_event_date: 2019-02-01 10:00:00\n", "must be a date"),
        ('[\n    "\\\\n", nan,', "[NaN,", "null_words must be a list of lower-case words"),
        ('[\n    "\\\\n", nan,', '["it\'s",', "null_words must be a list of lower-case words"),
        ('[\n    "\\\\n", nan,', "[5,", "null_words must be a list of lower-case words"),
        (ZONE, "  shop_time_zone: Berlin time\n", "shop_time_zone must be a time zone"),
        (ZONE, "  shop_time_zone: Europe/Berln\n", "it is Europe/Berln: correct"),
        ("\nvars:\n", "\nvars: []\nothers:\n", "has no mapping `vars`"),
        ("  types:\n", "  type:\n", "`vars` says under forms, types"),
        ("    true or false: 'true|false'\n", "", "`vars` says under forms, types"),
        ("  rising: [\n", "  rising: [5,\n", "`vars` says under forms, types"),
        (line_of("as_of_date"), "  as_of_date: 2019-02-31\n", "day is out of range for month"),
        (MEDIUM_RISK, "  churn_medium_risk_after_days: 9999\n", "must be rising: [9999, "),
        (RECENCY, "  rfm_recency_days: [7, 28, 14, 42]\n", "rfm_recency_days must be rising"),
        (ORDERS, "  rfm_frequency_orders: [2, 3, 5, 10]\n", "frequency_orders must be falling"),
        (line_of("pareto_b_share"), "  pareto_b_share: 0.001\n", ", 0.001]; correct one"),
    ],
)
def test_a_wrong_file_of_variables_is_one_line(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    file = tmp_path / "dbt_project.yml"
    text = PROJECT_FILE.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(UserError) as caught:
        check_variables(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_thresholds_may_be_equal(tmp_path: Path) -> None:
    file = tmp_path / "dbt_project.yml"
    text = PROJECT_FILE.read_text("utf-8")
    equal = CHURN.replace("churn_after_days", "churn_medium_risk_after_days")
    assert MEDIUM_RISK in text
    file.write_text(text.replace(MEDIUM_RISK, equal), "utf-8")
    check_variables(file)


def test_the_database_knows_every_time_zone_that_is_accepted() -> None:
    with duckdb.connect() as connection:
        for zone in pytz.all_timezones:
            connection.execute("select timezone(?, timestamp '2019-10-01')", [zone])
