"""The command that writes the dashboard of a database, and serves it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from project.database import explained, require_database, require_usable_path
from project.errors import UserError
from project.home import claim, dashboard_path, database_path, dictionary_path, home, locked
from project.output import show

HELP: Final = "write the dashboard, a static site of the shop's figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `dashboard`."""


def execute(arguments: argparse.Namespace) -> int:
    """Write the site from the tables as they are."""
    from dashboard import site

    with opened(database_path()) as connection:
        claim(home())
        with locked(home()):
            pages = site.build(connection, dashboard_path(), dictionary_path())
    show(f"wrote {len(pages)} pages: {pages[0]}")
    return 0


@contextmanager
def opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for reading; UserError with the remedy if that cannot be done."""
    require_usable_path(str(database) and database)
    if not database.exists():
        raise UserError(f"{database}: no database yet; `make run` loads data and builds it")
    require_database(database)
    with explained(database, f"{database}: cannot be opened"):
        connection = duckdb.connect(str(database), read_only=True)
    with connection:
        yield connection
