"""A bad load is undone as docs/operations.md says: by its statements, and a full refresh."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from project.home import CHECKOUT
from support.databricks_runs import WITHOUT_TESTS
from support.event_batches import FIRST, line, write
from support.platform_runs import Home, differences
from support.recorded_builds import recorded_runs

pytestmark = pytest.mark.slow

# Valid, but of somebody else: no rule refuses it.
FOREIGN = [
    line("2019-10-02 08:00:00", user=7, session="x1"),
    line("2019-10-02 08:05:00", "purchase", user=7, session="x1", price="999.00"),
    # A copy of an event that another file has, too, so that this file's may be the one kept.
    FIRST[0],
]


def statements(file: Path) -> list[str]:
    """Return what the section says to run, in its order, for this file."""
    text = (CHECKOUT / "docs" / "operations.md").read_text("utf-8")
    section = text.partition("### A bad load\n")[2].partition("\n### ")[0]
    found = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return [sql.replace("<file as in source_files>", str(file)) for sql in found]


def differing(left: Home, right: Home) -> list[str]:
    """Return the tables that differ, but for when a file was loaded."""
    facts = "columns(lambda c: not ends_with(c, '_batch_id') and c <> '_ingested_at')"
    return [
        table
        for table in differences(left, right)
        if left.query(f"select {facts} from {table} order by all")
        != right.query(f"select {facts} from {table} order by all")
    ]


def test_a_file_that_is_taken_out_leaves_no_trace(tmp_path: Path) -> None:
    home, never = Home(tmp_path / "home"), Home(tmp_path / "never")
    builds = recorded_runs().builds
    files = tmp_path / "files"
    write(files / "a_bad.csv", FOREIGN)
    write(files / "b.csv", FIRST)
    home.load(files)
    builds.build(home)
    assert home.query("select sum(revenue) from gold_layer.orders where user_id = 7") == [(999,)]
    (files / "a_bad.csv").unlink()
    [of_bronze, of_books] = statements(files / "a_bad.csv")
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(of_bronze)
    # One half alone is noticed.
    message = home.run("load", "--data", str(files), expect=2).stderr
    assert "one of them was changed by hand" in message
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(of_books)
    assert "1 already_loaded" in home.run("load", "--data", str(files)).stdout
    home.dbt("build", "--full-refresh", *WITHOUT_TESTS)
    never.load(files)
    builds.build(never)
    assert differing(home, never) == []
    # The corrected file comes under a new name.
    for shop in (home, never):
        write(files / "a_good.csv", FOREIGN[:1])
        shop.load(files)
        builds.build(shop)
    assert differing(home, never) == []
