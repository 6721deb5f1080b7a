"""dbt in this process: the project is parsed once, and its manifest serves every command."""

from __future__ import annotations

import atexit
import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from project.database import damage
from project.errors import UserError
from project.home import CHECKOUT, database_path, home
from project.output import show
from project.settings import without_dbt_flags

_GATE: Final = "assert_few_new_rows_are_rejected"


@dataclass(frozen=True)
class Build:
    """How a build ended."""

    succeeded: bool
    is_gate_shut: bool
    """Whether too many new rows are rejected: silver is built, gold stays as it was."""


class Dbt:
    """dbt on the local target, with all of its output below the home."""

    def __init__(self) -> None:
        """Parse the project; UserError for a project or a variable that dbt refuses."""
        # The lifetime value model logs warnings; the default format would name the root logger.
        logging.basicConfig(format="warning: %(message)s")
        os.environ["ECOMMERCE_HOME"] = str(home())
        # dbt.log on a full disk must not print tracebacks.
        logging.raiseExceptions = False
        # At exit, DuckDB would report frozen objects as leaks.
        atexit.register(gc.unfreeze)
        self._manifest = None
        # The build writes the manifest: twice would take a twentieth of a small update.
        self._manifest = self._invoke("parse", "--no-write-json").result

    def build(self, *, full_refresh: bool) -> Build:
        """Build and test every model, and print what fails.

        Raises UserError if the database turns out to be damaged.
        """
        # Unit tests check the code, not the data: `make test` runs them.
        options = ["--full-refresh"] if full_refresh else []
        built = self._invoke("build", "--exclude-resource-type", "unit_test", *options)
        unsuccessful = [] if built.success else built.result.results
        for node in unsuccessful:
            if message := damage(database_path(), str(node.message)):
                raise UserError(message)
        failed = {node.node.name for node in unsuccessful if node.status == "fail"}
        return Build(bool(built.success), _GATE in failed)

    def write_docs(self) -> bool:
        """Write what the docs site shows into the target folder; whether that worked."""
        # The build compiled every model and test just now; analyses show their source.
        return bool(self._invoke("docs", "generate", "--no-compile").success)

    def close(self) -> None:
        """Close the database, to which dbt-duckdb would still write when the process ends."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        DuckDBConnectionManager.close_all_connections()

    def _invoke(self, *command: str) -> Any:
        with (
            without_dbt_flags(),
            tqdm(desc="dbt " + command[0], unit="node", disable=None, leave=False) as bar,
            _without_garbage_collection(),
        ):
            # Importing dbt takes two seconds, which a run with nothing to build must not pay.
            from dbt.cli.main import dbtRunner

            callbacks = [_node_progress(bar), _show_failure]
            result = dbtRunner(self._manifest, callbacks=callbacks).invoke(
                [
                    "--quiet",
                    "--no-use-colors",
                    "--log-level",
                    "none",
                    "--log-level-file",
                    "debug",
                    *command,
                    "--target",
                    "local",
                    "--project-dir",
                    str(CHECKOUT),
                    "--profiles-dir",
                    str(CHECKOUT),
                    "--target-path",
                    str(home() / "target"),
                    "--log-path",
                    str(log_path().parent),
                ]
            )
        # dbt catches Ctrl-C to stop its threads.
        if isinstance(result.exception, KeyboardInterrupt):
            raise result.exception
        if isinstance(error := result.exception, OSError) and error.errno:
            # dbt writes below the home, and the system names a file only where it opens one.
            raise OSError(error.errno, error.strerror, error.filename or str(home())) from error
        if result.exception:
            # What our own macros raise says it all; dbt adds the call stack of the macros.
            message = str(getattr(result.exception, "msg", result.exception))
            lines = message.split("\n\n> in macro")[0].splitlines()
            raise UserError(*lines or [f"{result.exception!r}; see {log_path()}"])
        return result


def log_path() -> Path:
    """Return the file that dbt logs to, with the tracebacks that are not shown."""
    return home() / "logs" / "dbt.log"


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collect no cycles, now or later: the nodes of a project have few.

    Looking through what a command made takes a second when it ends, and 8 % of a small run before.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _show_failure(event: Any) -> None:
    """Print what dbt says of a node that failed; an exception ends dbt and is reported at the end.

    dbt itself would print the traceback of an exception.
    """
    name = event.info.name
    if event.info.level == "error" and not name.startswith("Main") and "Skip" not in name:
        show(*event.info.msg.splitlines())


def _node_progress(bar: tqdm[Any]) -> Callable[[Any], None]:
    """Return a dbt event callback that advances the bar by one for every finished node."""

    def advance(event: Any) -> None:
        if event.info.name == "LogStartLine":
            bar.total = event.data.total
        elif event.info.name == "NodeFinished":
            bar.update()

    return advance
