"""Errors of a DuckDB file with their remedy: held by others, damaged, of another version."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from project.errors import UserError, reason

STORAGE_VERSION: Final = "v1.4.0"
"""The oldest DuckDB that reads our files; the browser's and most tools' are of 1.4 or later."""
# A DuckDB file has these bytes after a checksum of 8.
_MAGIC: Final = b"DUCK"
_HOLDER: Final = re.compile(r"held in (.+? \(PID \d+\)|PID \d+)")
_DAMAGED: Final = re.compile(
    "corrupt|checksum|not a valid DuckDB|read enough bytes|failed to deserialize|INTERNAL Error|"
    "database has been invalidated",
    re.IGNORECASE,
)
_ELSEWHERE: Final = "use another place by ECOMMERCE_HOME (`ecommerce load`: --database)"
_RESTORE: Final = (
    "restore a copy of it, or remove it (`make clean`) and run again, which loads all files again"
)


def literal(value: object) -> str:
    """Return a text or a path as SQL writes it."""
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"


def identity(database: Path) -> list[int] | None:
    """Return size in bytes and time of the last change in nanoseconds, None without the file.

    They differ after each write, and JSON gives them back as they are.
    """
    try:
        status = database.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def require_usable_path(database: Path) -> None:
    """Raise UserError for an absolute path that DuckDB cannot open as it is written."""
    path = str(database)
    if "\\" in path:
        raise UserError(f"{path}: has a backslash, which DuckDB changes; {_ELSEWHERE}")
    # Bytes that are no UTF-8 are lone surrogates in the text of a path.
    if any("\ud800" <= character <= "\udfff" for character in path):
        raise UserError(f"{path}: is no UTF-8, as DuckDB needs a path to be; {_ELSEWHERE}")


def require_database(database: Path) -> None:
    """Raise UserError if the path exists and is not a DuckDB file.

    DuckDB itself would look for an extension that reads the file, on the network too.
    """
    if not database.exists():
        return
    _require_file(database)
    with database.open("rb") as file:
        start = file.read(8 + len(_MAGIC))
    if start[8:] != _MAGIC:
        what = "is not a DuckDB database" if start else "is empty, so no DuckDB database"
        raise UserError(f"{database}: {what}; {_RESTORE}")


def _require_file(database: Path) -> None:
    if not database.is_file():
        raise UserError(f"{database}: is no file, so no database; move it away, or {_ELSEWHERE}")


def require_unused(database: Path) -> None:
    """Raise UserError if another process has the database open; it may be damaged."""
    if not database.exists():
        return
    _require_file(database)
    with database.open("r+b") as file:
        try:
            # The lock that DuckDB takes; it ends with the block.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise UserError(
                f"{database}: another process has this database open; wait until it ends or close"
                " it, then run again"
            ) from error


@contextmanager
def explained(database: Path, problem: str = "") -> Iterator[None]:
    """Turn errors of DuckDB into UserError with the database and a remedy.

    `problem` says what failed where the cause is none of the known ones.
    """
    try:
        yield
    except duckdb.Error as error:
        problem = problem or f"{database}: cannot be read or written"
        raise UserError(_known_cause(database, error) or _with_remedy(problem, error)) from error


def _known_cause(database: Path, error: duckdb.Error) -> str | None:
    text = str(error)
    if "Could not set lock" in text:
        holder = _HOLDER.search(text)
        return (
            f"{database}: another process has this database open; wait until it ends or close it,"
            f" then run again{f' ({holder[1]})' if holder else ''}"
        )
    if "storage version" in text:
        age = "a newer" if "newer version" in text.split("Newer")[0] else "another"
        return (
            f"{database}: was written by {age} version of DuckDB, which version"
            f" {duckdb.__version__} cannot read; install that version, or {_ELSEWHERE}"
        )
    return damage(database, text)


def damage(database: Path, text: str) -> str | None:
    """Return the message for an error text that says that the database is damaged, else None."""
    if not _DAMAGED.search(text):
        return None
    return f"{database}: is damaged; {_RESTORE} ({reason(text)})"


def _with_remedy(problem: str, error: duckdb.Error) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        remedy = "raise ECOMMERCE_MEMORY_LIMIT, or leave more memory free, then run again"
    elif os.strerror(errno.ENOSPC) in str(error):
        # DuckDB has no error class for a full disk.
        remedy = "free some space, then run again"
    elif isinstance(error, duckdb.IOException):
        remedy = f"get permission to write it, or {_ELSEWHERE}"
    else:
        remedy = f"its tables may be those of something else: {_ELSEWHERE}"
    return f"{problem}: {reason(error)}; {remedy}"
