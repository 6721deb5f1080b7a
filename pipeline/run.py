"""The main job: data, bronze, dbt build, docs and a summary, all on one machine."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb

from generator import generate
from ingestion import bronze, local_loader
from ingestion.file_load import IN_BRONZE, Status
from ingestion.landing_files import discover
from ingestion.load_report import LoadReport
from pipeline import last_run, summary
from pipeline.dbt import Dbt, log_path
from project.arguments import nonempty_path
from project.errors import UserError
from project.home import claim, database_path, docs_path, home, landing_path, locked
from project.output import show

HELP: Final = "get data, load bronze, build and test every layer, write docs and a summary"

_REMEDY: Final = "run `make clean` first, or set ECOMMERCE_HOME to another folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--data",
        type=nonempty_path,
        help="file, or folder of .csv and .csv.gz files (default: generate events)",
    )
    source.add_argument(
        "--events",
        type=generate.EVENTS_ARGUMENT,
        default=generate.EVENTS,
        metavar="N",
        help="number of events to generate (%(default)s)",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="rebuild every table from bronze, as a changed definition needs it",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Run every step; 0 if all dbt nodes passed, 1 if one failed."""
    claim(home())
    with locked(home()):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    database = database_path()
    data = Path(os.path.realpath(arguments.data or landing_path()))
    paths = discover(data) if arguments.data else []
    before, last = last_run.State.now(), last_run.read()
    with ExitStack() as stack:
        # Open until the summary is read, so that no other process can open it between two steps.
        connection = (
            stack.enter_context(local_loader.connect(database)) if before.database else None
        )
        is_changed = arguments.full or before != last
        # dbt refuses a wrong variable while it parses: before anything is generated or loaded.
        dbt = Dbt() if is_changed else None
        steps = Steps()
        if connection:
            reject_mixed_data(connection, data)
        if arguments.data is None:
            with steps.timed("data"):
                generate.generate(
                    arguments.events,
                    generate.FIRST_DAY,
                    generate.DAYS,
                    generate.SEED,
                    data,
                    remedy=_REMEDY,
                )
        with steps.timed("load"):
            connection = connection or stack.enter_context(local_loader.connect(database))
            loaded = local_loader.load_files(connection, paths or discover(data), database)
        _require_loaded(data, loaded)
        if loaded.count(Status.LOADED) or dbt:
            last_run.forget()
            if not _build(dbt or Dbt(), steps, full_refresh=arguments.full):
                show("", f"dbt failed; its log is {log_path()}")
                return 1
        else:
            show(
                "nothing to build: files, definitions and code are those of the last run"
                " (FULL=1 does)"
            )
        figures = summary.read(connection)
    show(*summary.render(figures, loaded, steps.seconds))
    last_run.record()
    return 0


def _require_loaded(data: Path, loaded: LoadReport) -> None:
    """Raise UserError if no file is in bronze, or generated files differ from what is there."""
    if not loaded.count(*IN_BRONZE):
        raise UserError(*summary.nothing_loaded(data, loaded))
    # A real file that was replaced is only reported. Generated files that differ from bronze mean
    # that every figure would describe data that no longer exists.
    if loaded.count(Status.CHANGED) and data.is_relative_to(landing_path()):
        raise UserError(
            f"{database_path()} has other events than the generated files in {data}: {_REMEDY}"
        )


def _build(dbt: Dbt, steps: Steps, *, full_refresh: bool) -> bool:
    """Build, test and document everything; whether all passed."""
    try:
        with steps.timed("build"):
            succeeded = dbt.build(full_refresh=full_refresh)
        if succeeded:
            with steps.timed("docs"):
                succeeded = dbt.write_docs()
                if succeeded:
                    publish_docs()
    finally:
        dbt.close()
    return succeeded


@dataclass
class Steps:
    """The completed steps and the seconds that each took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Print that a step begins, and record how long it takes."""
        show(f"{name} ...", flush=True)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def publish_docs() -> None:
    """Copy the page that dbt wrote to the folder of the docs site."""
    page = docs_path() / "index.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(home() / "target" / "static_index.html", page)
    except OSError as error:
        raise UserError(
            f"{page}: cannot be written: {error.strerror}; free some space or get permission,"
            " then run again"
        ) from error


def reject_mixed_data(connection: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Raise UserError if generated and real events would end up in one database."""
    landing = landing_path()
    paths = connection.execute(f"select path from {bronze.LEDGER}").fetchall()
    if any(Path(path).is_relative_to(landing) != data.is_relative_to(landing) for (path,) in paths):
        raise UserError(
            f"{database_path()} already has events of another origin (generated or real), and the"
            f" two must not mix: {_REMEDY}"
        )
