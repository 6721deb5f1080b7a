"""Writes the dictionary of the last run, or of the code alone, and prints its coverage."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb

from dictionary import build, lineage
from dictionary.entries import Coverage, Dictionary, to_json
from project.arguments import nonempty_path
from project.errors import UserError
from project.home import dictionary_path, home
from project.output import show
from project.variables import project_variables

HELP: Final = "write the data dictionary of the last run, or print how many columns have lineage"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `dictionary`."""
    parser.add_argument("--out", type=nonempty_path, help="file to write (default: in the home)")
    parser.add_argument(
        "--target",
        type=nonempty_path,
        help="folder with dbt's manifest.json (default: that of the last run)",
    )
    parser.add_argument(
        "--coverage", action="store_true", help="print the coverage of columns and write nothing"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Write the dictionary, or print its coverage; UserError without a manifest."""
    dictionary = of_target(arguments.target or home() / "target")
    if arguments.coverage:
        show(*coverage_lines(dictionary.coverage))
    else:
        path = arguments.out or dictionary_path()
        write_whole(path, to_json(dictionary))
        show(f"{path}: {len(dictionary.tables)} tables")
    return 0


def of_target(target: Path, rows: Mapping[str, int] | None = None) -> Dictionary:
    """Return the dictionary of the manifest in a folder, and of the catalog if it is there."""
    manifest = _json(target / "manifest.json")
    if manifest is None:
        raise UserError(
            f"{target / 'manifest.json'}: is missing; `make run` writes it, and `dbt parse` too"
        )
    catalog = _json(target / "catalog.json")
    return build.build(manifest, lineage.read(), project_variables(), catalog, rows)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path}: is damaged ({error}); `make run` writes it again") from error
    return found


def write_whole(path: Path, text: str) -> None:
    """Write a file in UTF-8; the earlier one stays until the new one is whole.

    Raises UserError if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        try:
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written: {error.strerror}; free some space or get permission,"
            " then run again"
        ) from error


def row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the number of rows of each table, not view, by `schema.table`."""
    with connection.cursor() as cursor:
        tables = cursor.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema like '%\\_layer' escape '\\' and table_type = 'BASE TABLE'"
        ).fetchall()
        counts = {}
        for schema, name in tables:
            [(rows,)] = cursor.execute(f'select count(*) from "{schema}"."{name}"').fetchall()
            counts[f"{schema}.{name}"] = int(rows)
    return counts


def coverage_lines(coverage: Coverage) -> list[str]:
    """Return what is known of the lineage of columns, in lines."""
    lines = [
        f"Columns      {coverage.with_sources} of {coverage.columns} with their sources,"
        f" {coverage.share:.1%}; {coverage.of_rows} more count rows or are constant",
        f"Gold         {coverage.gold_with_sources} of {coverage.gold_columns}"
        f"; {coverage.gold_of_rows} more count rows or are constant",
    ]
    if coverage.tables_without:
        lines.append(f"Tables only  {', '.join(coverage.tables_without)}")
    return lines
