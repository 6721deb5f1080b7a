"""Compares a build of the full Kaggle files with published figures."""

from __future__ import annotations

import argparse
import os
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from project.arguments import nonempty_path
from project.database import explained, require_database
from project.errors import UserError, reason
from project.home import CHECKOUT, database_path
from project.output import show
from project.settings import MEMORY_LIMIT

HELP: Final = "compare a build of the full Kaggle files with the published totals"
# The publisher's files, plain or compressed, by month.
FILES: Final = {"2019-10": "2019-Oct.csv", "2019-11": "2019-Nov.csv"}
_QUERY: Final = Path(__file__).with_name("published_figures.sql")
_SEED: Final = CHECKOUT / "seeds" / "published_figures.csv"


class Figure(NamedTuple):
    """One published number and that of the build."""

    month: str
    figure: str
    category: str
    expected: Decimal
    found: Decimal
    source: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce verify-published`."""
    parser.add_argument(
        "--expected",
        type=nonempty_path,
        default=_SEED,
        help="CSV of the published figures (%(default)s)",
    )


def execute(args: argparse.Namespace) -> int:
    """Print every figure; 0 if all match, 1 if any differs, UserError without the files."""
    figures = compare(database_path(), args.expected)
    show(*table(figures))
    wrong = sum(figure.found != figure.expected for figure in figures)
    show("", f"{len(figures) - wrong} of {len(figures)} figures as published")
    return 1 if wrong else 0


def compare(database: Path, expected: Path) -> list[Figure]:
    """Return the figures of each loaded month, and of both months together if both are loaded."""
    if not expected.is_file():
        raise UserError(f"{expected}: no such file; pass the CSV of the published figures")
    if not database.exists():
        raise UserError(f"{database}: nothing is built; first run: make run DATA=folder")
    require_database(database)
    with explained(database, f"{database} or {expected}: cannot be read"):
        try:
            rows = _figures(database, expected)
        except duckdb.CatalogException as error:
            raise UserError(
                f"{database}: silver is not built; run: make run ({reason(error)})"
            ) from error
    return [Figure(*row) for row in rows]


def _figures(database: Path, expected: Path) -> list[tuple[Any, ...]]:
    # Distinct counts over all rows spill to files beside the database.
    settings: dict[str, str | bool | int | float | list[str]] = {
        "preserve_insertion_order": False,
    }
    if limit := os.environ.get(MEMORY_LIMIT):
        settings["memory_limit"] = limit
    with duckdb.connect(str(database), read_only=True, config=settings) as connection:
        months = loaded_months(connection)
        if not months:
            raise UserError(
                f"{database}: has no row from {' or '.join(FILES.values())}, and other files"
                " have no published figures; first run: make run DATA=folder with them"
            )
        values = {"published": str(expected), "months": months}
        return connection.execute(_QUERY.read_text("utf-8"), values).fetchall()


def loaded_months(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the months loaded from the publisher's files, and 'all' if none is missing."""
    files = connection.execute("select distinct _source_file from silver_layer.source_files")
    names = {Path(name).name.removesuffix(".gz") for (name,) in files.fetchall()}
    months = [month for month, name in FILES.items() if name in names]
    return [*months, "all"] if len(months) == len(FILES) else months


def table(figures: list[Figure]) -> list[str]:
    """Format the figures in columns; the line of a difference ends with the source."""
    lines = [f"{'month':<8}{'figure':<52}{'expected':>16}{'found':>16}{'difference':>16}"]
    for figure in figures:
        name = f"{figure.figure} {figure.category}".rstrip()
        numbers = (figure.expected, figure.found, figure.found - figure.expected)
        line = f"{figure.month:<8}{name:<52}" + "".join(f"{number:>16,.2f}" for number in numbers)
        lines.append(line + (f"  {figure.source}" if numbers[2] else ""))
    return lines
