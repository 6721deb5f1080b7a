"""Runs `plain_duckdb.sql`: `python -m benchmarks.plain FOLDER DATABASE`. Prints its steps.

The script reads each var of dbt_project.yml by DuckDB's `getvariable('name')`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import duckdb

from project.home import CHECKOUT
from project.variables import project_variables

SCRIPT: Final = Path(__file__).with_name("plain_duckdb.sql")
_LIFETIME_VALUE: Final = (
    CHECKOUT / "models" / "intermediate" / "customer" / "customer_lifetime_value.py"
)
# The platform's own limit, so that both have the same memory.
_SETTINGS: Final = {"memory_limit": "7.5GB", "preserve_insertion_order": "false"}


def steps(script: str) -> list[tuple[str, str]]:
    """Return names and statements of a script whose steps start with a line `-- step: name`."""
    _, *parts = re.split(r"^-- step: (\w+)$", script, flags=re.MULTILINE)
    return list(zip(parts[::2], parts[1::2], strict=True))


def run(
    folder: Path, database: Path, variables: Mapping[str, Any]
) -> list[tuple[str, float, float]]:
    """Build the tables by these variables; return name, start and end (Unix s) of each step."""
    times = []
    with duckdb.connect(str(database)) as connection:
        for name, value in _SETTINGS.items():
            connection.execute(f"set {name} = '{value}'")
        for name, value in {**variables, "landing": str(folder / "*.csv")}.items():
            connection.execute(f"set variable {name} = ?", [_as_in_sql(value)])
        for name, statements in steps(SCRIPT.read_text("utf-8")):
            start = time.time()
            if name == "customer_lifetime_value":
                _fit(connection, variables)
            connection.execute(statements)
            times.append((name, start, time.time()))
    return times


def _as_in_sql(value: Any) -> Any:
    # dbt writes 0.8 into the SQL, where it is a decimal; a double would move a limit by a bit.
    if isinstance(value, list):
        return [_as_in_sql(item) for item in value]
    return Decimal(str(value)) if isinstance(value, float) else value


def _fit(connection: duckdb.DuckDBPyConnection, variables: Mapping[str, Any]) -> None:
    # SQL cannot fit the model, so the script uses the platform's, as it would use a library.
    spec = importlib.util.spec_from_file_location("customer_lifetime_value", _LIFETIME_VALUE)
    assert spec and spec.loader  # it is a file of this checkout
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _write(connection, module, variables)


def _write(
    connection: duckdb.DuckDBPyConnection, module: ModuleType, variables: Mapping[str, Any]
) -> None:
    class Dbt:
        """The part of dbt that a Python model uses."""

        class config:
            """The model's settings."""

            @staticmethod
            def meta_get(name: str) -> Any:
                return variables[name]

        @staticmethod
        def ref(name: str) -> Any:
            return connection.table(name)

    scores = module.model(Dbt, connection)
    scores.create("customer_lifetime_value")


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]), project_variables())))
