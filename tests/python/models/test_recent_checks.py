"""Data tests on recent rows: what they find, and what they leave to the weekly check."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb
import pytest

from support.platform_runs import Home

pytestmark = pytest.mark.slow

RECENT = ("--vars", "check_hours: 48")
WEEKLY = ("--selector", "weekly")
SESSIONS = "silver_layer.sessions"
RULES, KEY = "row_rules_sessions", "unique_key_sessions_session_id"


def execute(home: Home, sql: str) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(sql)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("recent"))
    home.load_generated(events=2000, days=2)
    home.dbt("run", "--select", "+sessions")
    # Pretend that the first day, batch 1, was loaded three days before the second, batch 2.
    execute(
        home,
        "update silver_layer.source_files set _ingested_at = _ingested_at - interval 72 hours"
        f" where _batch_id = 1; update {SESSIONS} set _batch_id = 1, _first_batch_id = 1,"
        " _last_batch_id = 1 where session_date = '2019-10-01'",
    )
    return home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    """The built platform, for a test to break."""
    with built.database_restored():
        yield built


def session_of(day: str) -> str:
    """Return the lowest session id of a day, as SQL."""
    return f"(select min(session_id) from {SESSIONS} where session_date = '2019-10-{day}')"


def copy_of(day: str, batch: int) -> str:
    """Return SQL that adds a second row of a session, written by a batch."""
    columns = ("_batch_id", "_first_batch_id", "_last_batch_id")
    batches = ", ".join(f"{batch} as {column}" for column in columns)
    return (
        f"insert into {SESSIONS} select * replace ({batches}) from {SESSIONS}"
        f" where session_id = {session_of(day)}"
    )


def broken(day: str) -> str:
    """Return SQL that makes a row break a rule."""
    return f"update {SESSIONS} set events = 0 where session_id = {session_of(day)}"


def check(home: Home, expected: set[str], *options: str) -> None:
    """Run the two tests, and check which fail."""
    code = 1 if expected else 0
    output = home.dbt("test", "--select", RULES, KEY, *options, expect=code).stdout
    found = {name: word for word, name in re.findall(r" of 2 (PASS|FAIL)(?: \d+)? (\w+)", output)}
    assert found == {name: "FAIL" if name in expected else "PASS" for name in (RULES, KEY)}


def test_valid_rows_pass(home: Home) -> None:
    check(home, set())
    check(home, set(), *RECENT)


@pytest.mark.parametrize(
    ("faults", "weekly", "daily"),
    [
        ((broken("01"), copy_of("01", batch=1)), {RULES, KEY}, set()),
        ((broken("02"), copy_of("02", batch=2)), {RULES, KEY}, {RULES, KEY}),
        ((copy_of("02", batch=1),), {KEY}, {KEY}),
    ],
    ids=["old row and key", "recent row and key", "key of an old and a recent row"],
)
def test_daily_check_covers_recent_rows_and_weekly_check_all(
    home: Home, faults: tuple[str, ...], weekly: set[str], daily: set[str]
) -> None:
    for fault in faults:
        execute(home, fault)
    check(home, weekly)
    check(home, daily, *RECENT)


def test_weekly_selector_selects_every_data_test(built: Home) -> None:
    def names(*arguments: str) -> set[str]:
        return set(built.dbt("-q", "ls", *arguments).stdout.split())

    weekly = names(*WEEKLY)
    assert weekly == names("--resource-type", "test")
    assert len(weekly) > 80
