"""Loads landed CSV files into `bronze_layer.events_raw` in DuckDB, each once, in a transaction."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import duckdb
from tqdm import tqdm

from ingestion import bronze, file_load
from ingestion.discovery import Landed, discover, expand
from ingestion.event_schema import require_known_types
from ingestion.file_load import FileReport, NotTogetherError, load_file, load_together
from ingestion.formats import NotReadableError
from ingestion.landing_files import Identity
from ingestion.load_report import LoadReport, print_report
from project.arguments import data_path, nonempty_path
from project.database import (
    STORAGE_VERSION,
    explained,
    literal,
    require_database,
    require_usable_path,
)
from project.errors import UserError
from project.home import database_path, landing_path
from project.settings import MEMORY_LIMIT

HELP: Final = "load landed CSV and Parquet files, also compressed ones, into bronze, each file once"

_UNFINISHED: Final = ".unfinished"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce load`."""
    parser.add_argument(
        "--data",
        type=data_path,
        default=landing_path(),
        help="file or folder (default: %(default)s)",
    )
    parser.add_argument(
        "--database",
        type=nonempty_path,
        default=database_path(),
        help="DuckDB file (default: %(default)s)",
    )


def execute(args: argparse.Namespace) -> int:
    """Load, and print the outcome for each file; UserError if none is in bronze."""
    return print_report(load(args.data, args.database), args.data)


def load(data: Path, database: Path) -> LoadReport:
    """Load new files under `data` (a file or a folder) into the DuckDB file `database`.

    Raises UserError if there is no file or the database cannot be written; the report lists files
    that could not be loaded.
    """
    require_known_types()
    landed = expand(discover(data))
    own = database.resolve()
    landed = replace(landed, unread=tuple(u for u in landed.unread if u.path != own))
    with connect(database) as connection:
        return load_files(connection, landed, database)


def load_files(connection: duckdb.DuckDBPyConnection, landed: Landed, database: Path) -> LoadReport:
    """Load the new ones of the files by a connection of `connect`, like `load`."""
    reports = []
    sizes = {path: _size(path) for path in landed.files}
    with tqdm(
        total=sum(sizes.values()), unit="B", unit_scale=True, desc="load", disable=None
    ) as bar:
        for paths in _groups(sizes):
            reached = bar.n + sum(sizes[path] for path in paths)
            reports += _load_group(connection, paths, database, bar.update)
            bar.update(reached - bar.n)
    return LoadReport(tuple(reports), landed.unread)


def _groups(sizes: Mapping[Path, int]) -> Iterator[list[Path]]:
    """Yield the files in order, small ones together until they are as much as a large one."""
    group: list[Path] = []
    size = 0
    for path, more in sizes.items():
        if group and size + more > file_load.LARGE_BYTES:
            yield group
            group, size = [], 0
        group.append(path)
        size += more
    if group:
        yield group


def _load_group(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    database: Path,
    advance: Callable[[int], object],
) -> list[FileReport]:
    if len(paths) > 1:
        # Any error that is not a file's own is met again with that file alone.
        with suppress(NotTogetherError):
            return load_together(connection, paths, advance)
    reports = []
    for path in paths:
        with explained(database, f"{path}: cannot be loaded into {database}"):
            reports.append(load_file(connection, path, advance))
    return reports


def connect(database: Path) -> duckdb.DuckDBPyConnection:
    """Open the database exclusively, and create its tables if they are missing.

    A process must not do this twice at a time: checking the file would end the lock on it.
    """
    # Only a path that begins with `/` is a file whatever it is called, `:memory:` or `md:x` too.
    database = Path(os.path.abspath(database))  # noqa: PTH100
    require_usable_path(database)
    with explained(database, f"{database}: cannot be opened"), ExitStack() as opened:
        try:
            database.parent.mkdir(parents=True, exist_ok=True)
            require_database(database)
            if not database.exists():
                _create(database)
            connection = opened.enter_context(duckdb.connect(str(database)))
            for left in unfinished_databases(database):
                left.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"{error.filename or database}: cannot be written: {error.strerror}; set"
                " ECOMMERCE_HOME to a writable folder"
            ) from error
        if limit := os.environ.get(MEMORY_LIMIT):
            connection.execute(f"set memory_limit = {literal(limit)}")
        # The order of bronze rows means nothing, and preserving it buffers whole row groups.
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set enable_progress_bar = true")
        connection.execute("set enable_progress_bar_print = false")
        bronze.create_tables(connection)
        bronze.require_whole(connection)
        opened.pop_all()
        return connection


def _create(database: Path) -> None:
    """Create an empty database, whole or not at all: DuckDB cannot open half of one."""
    unfinished = database.with_name(f"{database.name}.{os.getpid()}{_UNFINISHED}")
    # A killed process can have had the same number.
    unfinished.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        # It costs neither time nor space that older clients read it: docs/decisions/0023.
        connection.execute(
            f"attach {literal(unfinished)} as created (storage_version '{STORAGE_VERSION}')"
        )
        connection.execute("detach created")
    try:
        os.link(unfinished, database)
    except OSError:
        # Another process was first, or the file system has no links.
        if not database.exists():
            unfinished.replace(database)


def unfinished_databases(database: Path) -> list[Path]:
    """Return files beside a database that a kill left when it was created."""
    return list(database.parent.glob(f"{glob.escape(database.name)}.[0-9]*{_UNFINISHED}"))


def _size(path: Path) -> int:
    try:
        return Identity.of(path).size
    except (OSError, NotReadableError):
        return 0
