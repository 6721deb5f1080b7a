"""What the last successful run was built from, so that a run with nothing to do can end at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import xxhash

from project.database import identity
from project.home import (
    CHECKOUT,
    dashboard_path,
    database_path,
    dictionary_path,
    docs_path,
    home,
)

_CODE: Final = (
    *("analyses", "functions", "macros", "models", "seeds", "snapshots"),
    *("tests/generic", "tests/gold", "tests/silver"),
    *("dashboard", "dictionary", "export", "generator", "ingestion", "pipeline", "project"),
    *("dbt_project.yml", "profiles.yml", "pyproject.toml"),
)


@dataclass(frozen=True)
class State:
    """Definitions and code, and the database and the pages that they led to."""

    code: str
    """Hash of the project's files and of the versions that run them."""
    database: list[int] | None
    """Its size and the time of its last change; None if there is no database."""
    has_docs: bool
    has_dashboard: bool

    @classmethod
    def now(cls) -> State:
        """Return the state of the checkout and of the home."""
        has_docs = (docs_path() / "index.html").exists() and dictionary_path().exists()
        has_dashboard = (dashboard_path() / "index.html").exists()
        return cls(_code(), identity(database_path()), has_docs, has_dashboard)


def read() -> State | None:
    """Return the state after the last successful run; None if there is none or it is unreadable."""
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
        return State(**found)
    except (OSError, ValueError, TypeError):
        return None


def forget() -> None:
    """Remove the record, before anything changes what it describes."""
    _path().unlink(missing_ok=True)


def record() -> None:
    """Record the state after a successful run. Without the record the next run does all."""
    with suppress(OSError):
        _path().write_text(json.dumps(asdict(State.now())), encoding="utf-8")


def _path() -> Path:
    return home() / "last_run.json"


def _files() -> Iterator[Path]:
    for name in _CODE:
        path = CHECKOUT / name
        yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def _code() -> str:
    digest = xxhash.xxh3_128()
    for path in _files():
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(CHECKOUT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    for package in ("dbt-core", "dbt-duckdb", "duckdb"):
        digest.update(f"{package} {version(package)}\0".encode())
    return digest.hexdigest()
