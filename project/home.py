"""The home of a local run, with all that it creates: `ECOMMERCE_HOME`, by default `.local`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from project.errors import UserError

CHECKOUT: Final = Path(__file__).resolve().parent.parent
CATALOG: Final = "ecommerce_analytics_local"
MARKER: Final = ".ecommerce_home"
LOCK: Final = "run.lock"
MANIFEST: Final = "generated.json"
"""Lists the parameters of the generated files beside it."""
TRUTH: Final = "generated_truth.json"
"""Lists what is planted in these files, for analyses to find."""
# Created by every run, but under names that other projects may use as well.
_COMMON_NAMES: Final = (
    "target",
    "logs",
    "docs/index.html",
    "bench",
    "dashboard",
    "duckdb_wasm",
    "exports",
    "assistant",
    "dictionary.json",
    "last_run.json",
)


def home() -> Path:
    """Return the absolute folder of the local run; it may not exist yet."""
    # Unlike Path.resolve of Python before 3.13, this takes a link to itself.
    return Path(os.path.realpath(os.environ.get("ECOMMERCE_HOME") or CHECKOUT / ".local"))


def database_path() -> Path:
    """Return the DuckDB file, whose name is that of the catalog."""
    return home() / f"{CATALOG}.duckdb"


def landing_path() -> Path:
    """Return the folder where generated files land, which may hold others too."""
    return home() / "landing"


def docs_path() -> Path:
    """Return the folder of the static dbt docs site."""
    return home() / "docs"


def dashboard_path() -> Path:
    """Return the folder of the dashboard."""
    return home() / "dashboard"


def wasm_path() -> Path:
    """Return the folder of DuckDB for the browser, if the dashboard has its SQL page."""
    return home() / "duckdb_wasm"


def dictionary_path() -> Path:
    """Return the file of the data dictionary; package `dictionary` says what is in it."""
    return home() / "dictionary.json"


def claim(folder: Path) -> None:
    """Create the folder if it is missing, and mark it as the home of runs.

    The marker lists what `clean` may remove: the common names that did not exist before. Raises
    UserError for the checkout itself and for a folder that is not writable.
    """
    if folder == CHECKOUT:
        raise UserError(
            f"{folder} is the checkout itself, whose files a run would replace: set ECOMMERCE_HOME"
            " to a new or empty folder, or unset it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / MARKER).exists():
            ours = [name for name in _COMMON_NAMES if not (folder / name).exists()]
            written = folder / f"{MARKER}.new"
            written.write_text("".join(f"{name}\n" for name in ours), encoding="utf-8")
            written.replace(folder / MARKER)
        (folder / LOCK).touch()
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written: {error.strerror}; set ECOMMERCE_HOME to a writable"
            " folder"
        ) from error


def created_by_runs(folder: Path) -> list[str]:
    """Return the common names in a marked folder that only runs have created."""
    listed = (folder / MARKER).read_text(encoding="utf-8").splitlines()
    return [name for name in _COMMON_NAMES if name in listed]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other runs; UserError at once if one is using it."""
    with (folder / LOCK).open("a") as file:
        try:
            # The system releases the lock when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another run or clean is using {folder}; wait until it ends, then run again"
            ) from error
        yield
