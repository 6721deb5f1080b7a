"""Checks and runs one query in a process that can be ended, and whose memory is limited.

Neither can be had within a process: the parser and functions of DuckDB that make long texts or
lists check no interruption, and their memory counts for no limit of the engine.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from pathlib import Path
from typing import Any, Final, TypedDict

import duckdb

from assistant.sql_check import Checker, RefusedError
from export.gold import SCHEMA

# What a process has beyond the memory of the engine: the interpreter, stacks, buffers of results.
_OVERHEAD: Final = 512 * 2**20
MOST_RESULT_CHARACTERS: Final = 400_000
"""Longest result; an assistant reads no more at once."""


class Task(TypedDict):
    """A query, what it may read, and its limits."""

    file: str
    tables: list[str]
    sql: str
    rows: int
    memory: int
    """Bytes."""


def open_gold(file: Path, memory: int) -> duckdb.DuckDBPyConnection:
    """Open an export of gold for reading, with nothing else in reach, and with no way back."""
    connection = duckdb.connect(
        str(file),
        read_only=True,
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": f"{memory}B",
            "temp_directory": "",
            "threads": "2",
        },
    )
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set python_enable_replacements = false")
    connection.execute(f"set schema = '{SCHEMA}'")
    connection.execute("set lock_configuration = true")
    return connection


def run(task: Task) -> dict[str, Any]:
    """Return the columns and rows of a query, or why it was refused."""
    try:
        Checker(task["tables"]).check(task["sql"])
        with open_gold(Path(task["file"]), task["memory"]) as connection:
            found = connection.execute(task["sql"])
            columns = [{"name": name, "type": str(kind)} for name, kind, *_ in found.description]
            return {"columns": columns, **_cut(found, task["rows"])}
    except (duckdb.OutOfMemoryException, MemoryError):
        return {"error": "the query needs too much memory; aggregate or filter more"}
    except (RefusedError, duckdb.Error) as error:
        return {"error": str(error)}


def _cut(found: duckdb.DuckDBPyConnection, most: int) -> dict[str, Any]:
    rows: list[list[Any]] = []
    size = 0
    while row := found.fetchone():
        values = [_plain(value) for value in row]
        size += len(json.dumps(values))
        if not rows and size > MOST_RESULT_CHARACTERS:
            raise RefusedError(
                f"the first row has more than {MOST_RESULT_CHARACTERS:,} characters; select fewer"
                " columns, or shorter texts and lists"
            )
        if len(rows) == most or size > MOST_RESULT_CHARACTERS:
            return {"rows": rows, "is_cut": True}
        rows.append(values)
    return {"rows": rows, "is_cut": False}


def _plain(value: Any) -> Any:
    """Return a value of a result as JSON has it: decimals, dates and times as text, exactly."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)


def main() -> None:
    """Run the query on stdin, and write the result to stdout."""
    task: Task = json.loads(sys.stdin.read())
    most = task["memory"] + _OVERHEAD
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write(json.dumps(run(task)))


if __name__ == "__main__":
    main()
