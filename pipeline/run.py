"""The main job: data, bronze, dbt build, docs and a summary, all on one machine."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import duckdb

from dictionary import command, docs_site
from dictionary.entries import to_json
from generator import generate
from generator.day_files import is_file_name
from ingestion import bronze, local_loader
from ingestion.discovery import discover, expand
from ingestion.event_schema import require_known_types
from ingestion.file_load import IN_BRONZE, Status
from ingestion.load_report import LoadReport
from pipeline import last_run, summary
from pipeline.dbt import Build, Dbt, log_path
from project.arguments import data_path
from project.errors import UserError
from project.home import (
    claim,
    dashboard_path,
    database_path,
    dictionary_path,
    docs_path,
    home,
    landing_path,
    locked,
    wasm_path,
)
from project.output import show

HELP: Final = "get data, load bronze, build and test every layer, write docs and a dashboard"

_REMEDY: Final = "run `make clean` first, or set ECOMMERCE_HOME to another folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--data",
        type=data_path,
        help="file, or folder of files, as exported or downloaded (default: generate events)",
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
    """Run every step; 1 if a dbt node failed, the gate is shut or a file has no clean row."""
    claim(home())
    with locked(home()):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    database = database_path()
    is_generating = arguments.data is None
    require_known_types()
    # Not resolved: a link of /dev/fd to a pipe leads to no path.
    data = Path(os.path.abspath(arguments.data or landing_path()))  # noqa: PTH100
    before, last = last_run.State.now(), last_run.read()
    with ExitStack() as stack:
        # Open until the summary is read, so that no other process can open it between two steps.
        connection = (
            stack.enter_context(local_loader.connect(database)) if before.database else None
        )
        reject_mixed_data(connection, data, generating=is_generating)
        is_changed = arguments.full or before != last
        steps = Steps()
        # dbt refuses a wrong variable while it parses: before anything is generated or loaded.
        dbt = _parsed(steps) if is_changed else None
        if is_generating:
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
            loaded = local_loader.load_files(connection, expand(discover(data)), database)
        _require_loaded(data, loaded)
        built = Build(succeeded=True, is_gate_shut=False)
        if loaded.count(Status.LOADED) or dbt:
            last_run.forget()
            built = _build(dbt or _parsed(steps), steps, full_refresh=arguments.full)
            if not (built.succeeded or built.is_gate_shut):
                show("", f"dbt failed; its log is {log_path()}")
                return 1
        else:
            show(
                "nothing to build: files, definitions and code are those of the last run"
                " (FULL=1 does)"
            )
        figures = summary.read(connection, is_gate_shut=built.is_gate_shut)
        if steps.seconds.get("docs") is not None:
            with steps.timed("pages"):
                publish(figures, command.row_counts(connection))
            with steps.timed("dashboard"):
                publish_dashboard(connection)
    show(*summary.render(figures, loaded, steps.seconds))
    if built.is_gate_shut:
        return 1
    last_run.record()
    return 1 if summary.files_without_a_clean_row(figures, loaded) else 0


def rebuild(connection: duckdb.DuckDBPyConnection) -> bool:
    """Rebuild every table and page from bronze as it is; whether each test passed.

    The connection is one of `local_loader.connect`, which keeps other processes out.
    """
    last_run.forget()
    steps = Steps()
    built = _build(_parsed(steps), steps, full_refresh=True)
    if not built.succeeded:
        show("", f"dbt failed; its log is {log_path()}")
        return False
    publish(summary.read(connection, is_gate_shut=False), command.row_counts(connection))
    publish_dashboard(connection)
    return True


def _require_loaded(data: Path, loaded: LoadReport) -> None:
    """Raise UserError if no file is in bronze, or generated files differ from what is there."""
    if not loaded.count(*IN_BRONZE):
        raise UserError(*summary.nothing_loaded(data, loaded))
    # A real file that was replaced is only reported. Generated files that differ from bronze mean
    # that every figure would describe data that no longer exists.
    if generate.generated_among(f.path for f in loaded.files if f.status is Status.CHANGED):
        raise UserError(
            f"{database_path()} has other events than the generated files in {data}: {_REMEDY}"
        )


def _parsed(steps: Steps) -> Dbt:
    """Parse the project: the longest step of a first run of few events."""
    with steps.timed("parse"):
        return Dbt()


def _build(dbt: Dbt, steps: Steps, *, full_refresh: bool) -> Build:
    """Build, test and document everything."""
    try:
        with steps.timed("build"):
            built = dbt.build(full_refresh=full_refresh)
        if built.succeeded:
            with steps.timed("docs"):
                built = replace(built, succeeded=dbt.write_docs())
    finally:
        dbt.close()
    return built


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


def publish(figures: summary.Figures, rows: Mapping[str, int]) -> None:
    """Write the dictionary and the docs site from what dbt wrote into the target folder."""
    target = home() / "target"
    dictionary = command.of_target(target, rows)
    command.write_whole(dictionary_path(), to_json(dictionary))
    facts = summary.facts(figures, target / "run_results.json")
    page = docs_site.render(target, dictionary, facts)
    command.write_whole(docs_path() / "index.html", page)


def publish_dashboard(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the dashboard of the tables as they are."""
    # The libraries of charts, which a run with nothing to build must not load.
    from dashboard import site

    site.build(connection, dashboard_path(), dictionary_path(), wasm_path())


def reject_mixed_data(
    connection: duckdb.DuckDBPyConnection | None, data: Path, *, generating: bool
) -> None:
    """Raise UserError if generated and real events would end up in one database.

    What is generated is known by file, because files of the user may lie beside or below. There is
    no connection before there is a database.
    """
    if generating and not data.exists():
        landed = []
    else:
        landed = list(discover(data, may_be_empty=generating).files)
    generated = generate.generated_among(landed)
    real = [path for path in landed if path not in generated]
    if generating and real:
        raise UserError(
            f"{real[0]}: is not a generated file, and generated and real events must not mix: pass"
            f" it with --data, or move it out of {data}"
        )
    if generated and real:
        raise UserError(
            f"{data} has generated files and others, such as {real[0]}, and the two must not mix:"
            " pass the others alone with --data"
        )
    if connection is None:
        return
    rows = connection.execute(f"select path from {bronze.LEDGER}").fetchall()
    loaded = [Path(path) for (path,) in rows]
    of_runs = generate.generated_among(loaded)
    if (of_runs and real) or (len(of_runs) < len(loaded) and (generating or generated)):
        # The loader knows files by their paths, which change with the home.
        moved = [] if real else sorted(p for p in set(loaded) - of_runs if is_file_name(p.name))
        raise UserError(
            f"{database_path()} already has events of another origin (generated or real), and the"
            f" two must not mix: {_REMEDY}",
            *(
                f"it has {path}: if this home was moved or copied, move it back"
                for path in moved[:1]
            ),
        )
