"""Checks and runs a query in a worker, within limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant import worker
from assistant.sql_check import RefusedError


@dataclass(frozen=True)
class Limits:
    """What one query may take."""

    rows: int
    seconds: float
    memory: int
    """Bytes that the engine may use; see `assistant.worker` for what the process may."""


def run_query(sql: str, file: Path, tables: Collection[str], limits: Limits) -> dict[str, Any]:
    """Return columns and rows of a select of the tables, which are in the file.

    Raises RefusedError for any other statement, and for a query that fails or exceeds a limit.
    """
    task: worker.Task = {
        "file": str(file),
        "tables": [*tables],
        "sql": sql,
        "rows": limits.rows,
        "memory": limits.memory,
    }
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-m", worker.__name__],
            env={},
            input=json.dumps(task).encode(),
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedError(
            f"the query took more than {limits.seconds:g} seconds and was ended; aggregate or"
            " filter more"
        ) from error
    if ended.returncode != 0:
        # Where an allocation fails that the engine expects to succeed, it ends the process.
        raise RefusedError("the query ended its process: it needs too much memory; aggregate more")
    result: dict[str, Any] = json.loads(ended.stdout)
    if "error" in result:
        raise RefusedError(result["error"])
    return result
