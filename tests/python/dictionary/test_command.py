"""`ecommerce dictionary`, and the files that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dictionary import command, entries
from ecommerce import cli
from project.errors import UserError


@pytest.fixture
def target(tmp_path: Path, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def test_the_file_is_written_into_the_home(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dictionary", "--target", str(target)]) == 0
    file = tmp_path / "home" / "dictionary.json"
    dictionary = entries.read(file)
    assert f"{file}: {len(dictionary.tables)} tables" in capsys.readouterr().out
    assert sorted(path.name for path in file.parent.iterdir()) == ["dictionary.json"]


def test_the_coverage_is_printed(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dictionary", "--target", str(target), "--coverage"]) == 0
    columns, gold, without = capsys.readouterr().out.splitlines()
    assert "%; " in columns
    assert gold.startswith("Gold ")
    assert without == "Tables only  customer_lifetime_value"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("text", "message"), [(None, "is missing; `make run` writes it"), ("{", "is damaged")]
)
def test_artifacts_that_are_missing_or_damaged_are_user_errors(
    text: str | None, message: str, tmp_path: Path
) -> None:
    if text:
        (tmp_path / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        command.of_target(tmp_path)


def test_a_file_that_cannot_be_written_is_a_user_error(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "index.html"
    page.mkdir(parents=True)
    with pytest.raises(UserError, match=r"index\.html: cannot be written: Is a directory"):
        command.write_whole(page, "text")
    assert list(page.parent.iterdir()) == [page]


def test_rows_are_counted_for_tables_of_the_layers() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """
            create schema gold_layer; create schema other;
            create table gold_layer.days as select unnest([1, 2, 3]) as day;
            create view gold_layer.all_days as select * from gold_layer.days;
            create table other.days as select 1 as day;
            """
        )
        assert command.row_counts(connection) == {"gold_layer.days": 3}
