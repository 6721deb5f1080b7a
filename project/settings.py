"""Settings from the environment, `ECOMMERCE_*`: all are checked before a command does any work."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from project.errors import UserError
from project.home import CHECKOUT

HOME: Final = "ECOMMERCE_HOME"
MEMORY_LIMIT: Final = "ECOMMERCE_MEMORY_LIMIT"
_PREFIX: Final = "ECOMMERCE_"
_SIZE: Final = re.compile(r"([0-9]{1,9}(?:[.][0-9]{1,9})?) ?([KMGT])(i?)B", re.IGNORECASE)
# Below this DuckDB builds nothing: its buffers alone need as much.
_LEAST_MEMORY: Final = 100_000_000
# Beyond, the number of bytes is none that DuckDB can hold.
_MOST_MEMORY: Final = 2**63
# dbt-duckdb takes the path of the database for an address.
_MISREAD: Final = re.compile(r"[#?\\]")
# Every flag of dbt has a variable of this prefix, and so have all its other switches.
_DBT: Final = "DBT_"


def check_settings(environment: Mapping[str, str]) -> None:
    """Raise UserError for the first setting that cannot be used, or that does not exist."""
    given = {HOME: str(CHECKOUT / ".local")} | dict(environment)
    for name, value in sorted(given.items()):
        if not name.startswith(_PREFIX) and name.upper() not in _CHECKS:
            continue
        if name not in _CHECKS:
            near = get_close_matches(name.upper(), _CHECKS, 1, 0.8)
            raise UserError(
                f"{name}: no such setting; {f'{near[0]} is meant, or ' if near else ''}unset it:"
                f" there are {' and '.join(_CHECKS)}"
            )
        if not value.strip():
            raise UserError(f"{name}: is empty; give a value, or unset it")
        if fault := _CHECKS[name](value):
            raise UserError(f"{name}: {fault}")
    # Without the texts of its functions, the library of charts does not even load.
    if sys.flags.optimize > 1:
        raise UserError("PYTHONOPTIMIZE: 2 removes what the dashboard needs; unset it, or give 1")


def _memory_fault(value: str) -> str | None:
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        return f"{value!r} is not an amount of memory; write a number and a unit, such as 4GB"
    amount, unit, binary = found.groups()
    power = "kmgt".index(unit.lower()) + 1
    size = float(amount) * (1024 if binary else 1000) ** power
    if size < _LEAST_MEMORY:
        return f"{value!r} is too little for any build; give 100MB or more"
    if size >= _MOST_MEMORY:
        return f"{value!r} is more than DuckDB can count, 2^63 bytes; give what the machine has"
    return None


def _home_fault(value: str) -> str | None:
    if not value.isprintable():
        return f"{value!r} has a character that does not print; rename the folder"
    if value.startswith("~"):
        return f"{value!r} begins with ~, which only a shell replaces; write the folder out"
    if value != value.strip():
        return f"{value!r} begins or ends with a blank; write the folder without it"
    try:
        path = Path(os.path.realpath(value))
        if misread := _MISREAD.search(str(path)):
            return (
                f"{str(path)!r} has the character {misread[0]}, at which dbt-duckdb cuts or changes"
                " the path; rename the folder, or give another"
            )
        if not str(path).isprintable():
            return f"{str(path)!r} has a character that does not print; rename the folder"
        nearest = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
        if not nearest.is_dir():
            what = "is no folder" if nearest == path else f"is below {nearest}, which is no folder"
            return f"{value!r} {what}; give a folder, which need not exist yet"
        path.exists()
    except OSError as error:
        return f"{value!r} cannot be used: {error.strerror}; give another folder"
    return None


_CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    HOME: _home_fault,
    MEMORY_LIMIT: _memory_fault,
}


@contextmanager
def without_dbt_flags() -> Iterator[None]:
    """Hide every `DBT_*` variable, so that what dbt does depends on its arguments alone.

    None is let through. Output is plain, and dbt.log has the debug level already; all others
    change what is built, from what or where.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_DBT)}
    try:
        yield
    finally:
        os.environ.update(hidden)
