"""The lineage of columns: true to the SQL, and whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dictionary import colibri, lineage
from dictionary.lineage import ModelLineage, Sources
from project.errors import UserError
from support.platform_runs import Home
from support.prerequisites import missing


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest as a full refresh compiles it, without a database."""
    home = Home(tmp_path_factory.mktemp("compiled"))
    home.dbt("compile", "--full-refresh", "--write-json")
    return home.artifact("manifest")


def test_the_committed_lineage_is_that_of_the_sql(compiled: dict[str, Any]) -> None:
    if not colibri.PROGRAM.exists():
        missing("colibri is absent: `make .venv-tools/installed` installs it")
    found = lineage.to_json(colibri.read_from_sql(compiled))
    # Not an assertion on two texts of a thousand lines, which pytest would compare for minutes.
    is_current = found == lineage.FILE.read_text("utf-8")
    assert is_current, "dictionary/lineage.json is not that of the models: run `make lineage`"


@pytest.mark.parametrize(
    ("column", "sources"),
    [
        # Each as a reader of the model's SQL finds it.
        ("orders.units", Sources(("sessions.purchases",), is_copy=True)),
        ("orders.order_date", Sources(("sessions.first_purchase_at",))),
        (
            "category_brand_days.revenue",
            Sources(("event_changes._sign", "event_changes.event_type", "event_changes.price")),
        ),
        ("event_changes._sign", Sources(())),
        ("products_snapshot.brand", Sources(("products_dim.brand",), is_copy=True)),
    ],
)
def test_sources_of_known_columns(column: str, sources: Sources) -> None:
    model, _, name = column.partition(".")
    columns = lineage.read()[model].columns
    assert columns is not None
    assert columns[name] == sources


def test_an_ephemeral_model_under_another_name_keeps_its_columns() -> None:
    code = "from a join __dbt__cte__pairs as p on p.x = a.x, with __dbt__cte__pairs as (select 1)"
    assert colibri.readable({"compiled_code": code})["compiled_code"] == (
        "from a join (select * from __dbt__cte__pairs) as p on p.x = a.x,"
        " with __dbt__cte__pairs as (select 1)"
    )
    assert colibri.readable({"name": "in_python"})["name"] == "in_python"


def test_a_table_with_rows_of_another_has_the_columns_that_its_sql_selects() -> None:
    columns = lineage.read()["event_changes"].names
    assert {"category_l1", "price", "_sign"} <= set(columns)
    assert "_source_file" not in columns


def test_colibri_that_is_missing_or_fails_is_a_user_error(
    compiled: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "colibri"
    monkeypatch.setattr(colibri, "PROGRAM", program)
    with pytest.raises(UserError, match="is missing; install it by `make lineage`"):
        colibri.read_from_sql(compiled)
    program.write_text("#!/bin/sh\necho no dialect >&2\nexit 1\n", "utf-8")
    program.chmod(0o755)
    with pytest.raises(UserError, match="colibri failed:\nno dialect"):
        colibri.read_from_sql(compiled)


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "lineage.json"
    models = {
        "orders": ModelLineage(
            rows=("sessions.is_order",),
            columns={"id": Sources(("sessions.id",), is_copy=True), "events": Sources(())},
            names=("id", "events"),
        ),
        "in_python": ModelLineage(rows=(), columns=None, names=("score",)),
    }
    file.write_text(lineage.to_json(models), "utf-8")
    assert lineage.read(file) == models
    # A line for each column, so that a change is one in a diff as well.
    assert '   "id": ["copy", "sessions.id"],' in file.read_text("utf-8").splitlines()


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"orders": {"rows": []}})])
def test_a_damaged_file_is_a_user_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "lineage.json"
    file.write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"lineage\.json: cannot be read .*make lineage"):
        lineage.read(file)
