"""A column added to the one definition of a raw event reaches tables that exist already."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from ingestion import bronze
from ingestion.event_schema import (
    COLUMNS,
    DEFINITION,
    EVENT_COLUMN_NAMES,
    PUBLISHED_COLUMN_NAMES,
    columns_to_add,
)
from project.errors import UserError
from project.home import CHECKOUT
from support.auto_loader_runs import CATALOG, stream_table
from support.dirty_files import HEADER, Lines
from support.platform_runs import Home, run_command

PACKAGES: Final = (
    *("benchmarks", "ecommerce", "generator", "governance", "ingestion", "pipeline"),
    *("project", "workspace", "models/bronze"),
)
ADDED: Final = """\
          - name: discount
            data_type: {sql_type}
            description: What was taken off the price.
"""
# The old row, one without a header, those with the column (typed, empty, no number), one without.
EXPECTED: Final = [
    ("a.csv", None, None),
    ("b.csv", None, None),
    ("c.csv", 1.5, None),
    ("c.csv", None, None),
    ("c.csv", None, '{"discount":"half"}'),
    ("d.csv", None, None),
]


def project_with_discount(folder: Path, sql_type: str = "double") -> Path:
    """Copy the code into the folder and add a column to the definition."""
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, folder / package)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(CHECKOUT / name, folder)
    definition = folder / DEFINITION
    text = definition.read_text("utf-8")
    before = "          - name: _rescued_data\n"
    assert before in text
    added = ADDED.format(sql_type=sql_type)
    definition.write_text(text.replace(before, added + before, 1), "utf-8")
    return folder


def land_old(landing: Path, lines: Lines) -> None:
    landing.mkdir()
    (landing / "a.csv").write_text(f"{HEADER}\n{lines.line()}\n")


def land_new(landing: Path, lines: Lines) -> None:
    (landing / "b.csv").write_text(f"{lines.line()}\n")
    rows = [f"{lines.line()},{discount}" for discount in ("1.5", "", "half")]
    (landing / "c.csv").write_text("\n".join([f"{HEADER},Discount", *rows, ""]))
    (landing / "d.csv").write_text(f"{HEADER}\n{lines.line()}\n")


def ecommerce(
    project: Path, home: Home, *arguments: str, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecommerce", *arguments]
    return run_command(command, expect, {"ECOMMERCE_HOME": str(home.folder)}, project)


def test_files_without_header_have_the_nine_published_columns() -> None:
    published = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id"
    assert ",".join(PUBLISHED_COLUMN_NAMES) == f"{published},user_session"
    assert EVENT_COLUMN_NAMES[:9] == PUBLISHED_COLUMN_NAMES


def test_local_loader_adds_the_column_to_an_existing_table(tmp_path: Path) -> None:
    project = project_with_discount(tmp_path / "project")
    home, landing, lines = Home(tmp_path / "home"), tmp_path / "landing", Lines()
    land_old(landing, lines)
    home.load(landing)
    land_new(landing, lines)
    ecommerce(project, home, "load", "--data", str(landing))
    found = home.query(
        f"select parse_filename(_source_file), discount, _rescued_data from {bronze.EVENTS}"
        " order by user_id"
    )
    assert found == EXPECTED
    # The tables stay as they are when nothing is added.
    ecommerce(project, home, "load", "--data", str(landing))


@contextmanager
def code_of(project: Path) -> Iterator[None]:
    """Import the packages of the jobs from a copy of the code."""

    def imported() -> dict[str, ModuleType]:
        packages = ("ingestion", "project")
        return {n: m for n, m in sys.modules.items() if n.partition(".")[0] in packages}

    ours = imported()
    for name in ours:
        del sys.modules[name]
    sys.path.insert(0, str(project))
    try:
        yield
    finally:
        sys.path.remove(str(project))
        for name in imported():
            del sys.modules[name]
        sys.modules.update(ours)


@pytest.mark.spark
def test_auto_loader_adds_the_column_to_an_existing_table(
    spark: SparkSession, tmp_path: Path
) -> None:
    project, lines = project_with_discount(tmp_path / "project"), Lines()
    landing = tmp_path.resolve() / "landing"
    paths = ["--source", str(landing), "--checkpoint", str(tmp_path / "checkpoint")]

    def run(code: Path) -> pa.Table:
        job = import_module("ingestion.auto_loader")
        assert str(job.__file__).startswith(str(code))
        assert job.main(["--catalog", CATALOG, *paths], source_format="text") == 0
        return stream_table(spark)

    spark.sql(f"drop schema if exists {bronze.SCHEMA} cascade")
    spark.sql(f"create schema {bronze.SCHEMA} location '{tmp_path}/bronze'")
    land_old(landing, lines)
    assert "discount" not in run(CHECKOUT).column_names
    land_new(landing, lines)
    with code_of(project):
        new = run(project)
    found = [
        (Path(row["_source_file"]).name, row["discount"], row["_rescued_data"])
        for row in new.sort_by("user_id").to_pylist()
    ]
    assert found == EXPECTED


@pytest.fixture
def unknown_type(tmp_path: Path) -> Iterator[Path]:
    """A project whose definition has a type that no loader knows."""
    (tmp_path / "landing").mkdir()
    yield project_with_discount(tmp_path / "project", "money")
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "checkpoint").exists()


MESSAGE: Final = (
    f"error: {DEFINITION}: column discount has type money; use one of timestamp, string, bigint,"
    " double\n"
)


def test_an_unknown_type_is_one_clear_error(unknown_type: Path, tmp_path: Path) -> None:
    loaded = ecommerce(unknown_type, Home(tmp_path / "home"), "load", expect=2)
    assert loaded.stderr == MESSAGE
    script = str(unknown_type / "ingestion" / "auto_loader.py")
    paths = ["--source", str(tmp_path / "landing"), "--checkpoint", str(tmp_path / "checkpoint")]
    command = [sys.executable, script, f"--code={unknown_type}", "--catalog", "c", *paths]
    assert run_command(command, 2, {}, tmp_path).stderr == MESSAGE


FOUND: Final = {column.name: column.sql_type for column in COLUMNS}


def test_a_table_of_todays_definition_lacks_nothing() -> None:
    assert columns_to_add("t", FOUND) == []
    assert columns_to_add("t", dict(reversed(FOUND.items()))) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": "string"}, "its column price is string, double in models/bronze"),
        ({"discount": "double"}, "its column discount is double, not in models/bronze"),
        ({"brand": None}, "it lacks the column brand of .*; move the table away"),
        ({"_source_file": None}, "it lacks the column _source_file of .*; move the table away"),
    ],
    ids=json.dumps,
)
def test_any_other_table_is_refused(changes: dict[str, str | None], message: str) -> None:
    found = {name: sql_type for name, sql_type in (FOUND | changes).items() if sql_type}
    with pytest.raises(UserError, match=f"^t: {message}"):
        columns_to_add("t", found)
