"""Removes what `run` created, and none of the user's own files beside it."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Final

from generator.generate import generated_files
from ingestion.local_loader import unfinished_databases
from project.database import require_unused
from project.errors import UserError
from project.home import (
    LOCK,
    MARKER,
    created_by_runs,
    database_path,
    docs_path,
    home,
    landing_path,
    locked,
)
from project.output import show

HELP: Final = "remove database, generated files, docs, logs, and exports in the home"

# Files that DuckDB keeps beside a database; the last one is a folder.
_DATABASE_SUFFIXES: Final = ("", ".wal", ".wal.checkpoint", ".wal.recovery", ".tmp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `clean`: none."""


def execute(_: argparse.Namespace) -> int:
    """Remove the results of `run`; UserError for a folder that `run` never used."""
    folder = home()
    try:
        if not folder.exists() or not any(folder.iterdir()):
            show(f"nothing to remove: {folder}")
            return 0
        if not (folder / MARKER).is_file():
            raise UserError(
                f"{folder} is not the home of a run (it has no {MARKER}), so nothing was removed:"
                " set ECOMMERCE_HOME to the folder of a run, or remove it yourself"
            )
        with locked(folder):
            require_unused(database_path())
            for path in _results(folder):
                _remove(path)
            for path in (landing_path(), docs_path()):
                _remove_if_empty(path)
            # The marker goes last, so that an interrupted clean can be repeated.
            for name in (LOCK, MARKER):
                (folder / name).unlink(missing_ok=True)
        _remove_if_empty(folder)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot be removed: {error.strerror or error}; get"
            " write permission, then clean again"
        ) from error
    show(f"removed the results of `run`: {folder}")
    return 0


def _results(folder: Path) -> list[Path]:
    database = database_path()
    return [
        *(database.with_name(database.name + suffix) for suffix in _DATABASE_SUFFIXES),
        *unfinished_databases(database),
        *generated_files(landing_path()),
        *(folder / name for name in created_by_runs(folder)),
    ]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()
