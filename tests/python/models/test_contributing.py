"""The examples of CONTRIBUTING build as printed, and their updates equal a full refresh."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import duckdb
import pytest

from project.home import CHECKOUT
from support.databricks_runs import WITHOUT_TESTS, copy_project
from support.event_batches import FIRST, SECOND, THIRD, write
from support.platform_runs import Home, differences

pytestmark = pytest.mark.slow
MARTS: Final = ("brand_days", "user_visits")
WITH_TESTS: Final = ("--indirect-selection", "buildable", "--exclude-resource-type", "unit_test")


def examples() -> dict[str, str]:
    """Return text by path of each file that the page shows."""
    page = (CHECKOUT / "CONTRIBUTING.md").read_text("utf-8")
    return dict(re.findall(r"`(models/\S+)`:\n\n```\w+\n(.*?)```", page, re.DOTALL))


def build(home: Home, project: Path, *options: str) -> None:
    """Build the marts of the examples and all that they read."""
    home.dbt(
        *("build", "--project-dir", str(project), "--profiles-dir", str(CHECKOUT)),
        *("--select", *(f"+{mart}" for mart in MARTS), *options),
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the files of both examples."""
    copy = copy_project(tmp_path_factory.mktemp("contributor"))
    assert sorted(examples()) == [
        f"models/gold/{mart}.{kind}" for mart in MARTS for kind in ("sql", "yml")
    ]
    for path, text in examples().items():
        assert not (copy / path).exists()
        (copy / path).write_text(text, "utf-8")
    return copy


@pytest.fixture(scope="module")
def in_batches(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three loads with a build after each; the last one has late events that join sessions.

    The data tests of the last build judge the rows of all.
    """
    home = Home(tmp_path_factory.mktemp("batches"))
    for number, lines in enumerate((FIRST, SECOND, THIRD)):
        file = home.folder / "files" / f"batch_{number}.csv"
        write(file, lines)
        home.load(file)
        build(home, project, *(WITH_TESTS if lines is THIRD else WITHOUT_TESTS))
    return home


def test_the_unit_tests_of_the_examples_pass(in_batches: Home, project: Path) -> None:
    """Also before the first build of the marts, where the page runs them."""
    with in_batches.database_restored():
        with duckdb.connect(str(in_batches.database)) as connection:
            for mart in MARTS:
                connection.execute(f"drop table gold_layer.{mart}")
        found = in_batches.dbt(
            *("test", "--project-dir", str(project), "--profiles-dir", str(CHECKOUT)),
            *("--select", *(f"test_type:unit,{mart}" for mart in MARTS)),
        ).stdout
    # All of the project's are counted in the same words.
    assert re.search(rf"\b{len(MARTS)} unit tests", found)


def test_updates_of_the_examples_equal_a_full_refresh(
    in_batches: Home, project: Path, tmp_path: Path
) -> None:
    updated = Home(tmp_path)
    shutil.copyfile(in_batches.database, updated.database)
    # In the same home, for which dbt has parsed the project.
    with in_batches.database_restored():
        build(in_batches, project, "--full-refresh", *WITHOUT_TESTS)
        assert {f"gold_layer.{mart}" for mart in MARTS} <= set(in_batches.tables())
        assert differences(updated, in_batches) == {}


def test_additive_example_counts_each_event_once(in_batches: Home) -> None:
    marts, silver = (
        in_batches.query(f"select {columns} from {table}")
        for columns, table in (
            ("sum(events), sum(purchases), sum(revenue)", "gold_layer.brand_days"),
            (
                "count(*), count(*) filter (event_type = 'purchase'),"
                " sum(price) filter (event_type = 'purchase')",
                "silver_layer.events_cleaned",
            ),
        )
    )
    assert marts == silver


def test_example_by_key_follows_sessions_that_a_late_event_merges(in_batches: Home) -> None:
    # 10:00 to 11:00 with pauses of 10 and 50 minutes, and the late event at 10:35.
    assert in_batches.query(
        "select sessions, longest_session_seconds, largest_order, _batch_id"
        " from gold_layer.user_visits where user_id = 1"
    ) == [(1, 3600, 100, 3)]
