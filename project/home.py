"""Where a local run keeps what it makes: `ECOMMERCE_HOME`, by default `.local` in the checkout."""

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
# Made by every run, but under names that any other project may use too.
_COMMON_NAMES: Final = ("target", "logs", "docs/index.html")


def home() -> Path:
    """Return the absolute folder of the local run; it may not exist yet."""
    return Path(os.environ.get("ECOMMERCE_HOME") or CHECKOUT / ".local").resolve()


def database_path() -> Path:
    """Return the DuckDB file whose name is the catalog's name."""
    return home() / f"{CATALOG}.duckdb"


def landing_path() -> Path:
    """Return the folder where generated files land."""
    return home() / "landing"


def docs_path() -> Path:
    """Return the folder of the static dbt docs site."""
    return home() / "docs"


def claim(folder: Path) -> None:
    """Make the folder where it is missing and mark it as the home of runs.

    The marker lists what `clean` may remove: the common names that were not there before. Raises
    UserError for the checkout itself and for a folder that cannot be written.
    """
    if folder == CHECKOUT:
        raise UserError(
            f"{folder} is the checkout itself, whose files a run would replace: set ECOMMERCE_HOME"
            " to a new or empty folder, or leave it out"
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
            f"{folder}: cannot be written: {error.strerror}; set ECOMMERCE_HOME to a folder you can"
            " write"
        ) from error


def made_by_us(folder: Path) -> list[str]:
    """Return those common names of a marked folder that stood there only after a run."""
    listed = (folder / MARKER).read_text(encoding="utf-8").splitlines()
    return [name for name in _COMMON_NAMES if name in listed]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder; UserError at once if one is in it."""
    with (folder / LOCK).open("a") as file:
        try:
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another run or clean is using {folder}; wait until it ends, then run again"
            ) from error
        yield
