"""Runs `plain_duckdb.sql`: `python -m benchmarks.plain FOLDER DATABASE`. Prints its steps."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import duckdb

from project.home import CHECKOUT
from project.variables import project_variables

_SCRIPT: Final = Path(__file__).with_name("plain_duckdb.sql")
_LIFETIME_VALUE: Final = (
    CHECKOUT / "models" / "intermediate" / "customer" / "customer_lifetime_value.py"
)
# The platform's own limit, so that both have the same memory.
_SETTINGS: Final = {"memory_limit": "8GB", "preserve_insertion_order": "false"}


def steps(script: str) -> list[tuple[str, str]]:
    """Return names and statements of a script whose steps start with a line `-- step: name`."""
    _, *parts = re.split(r"^-- step: (\w+)$", script, flags=re.MULTILINE)
    return list(zip(parts[::2], parts[1::2], strict=True))


def run(folder: Path, database: Path) -> list[tuple[str, float, float]]:
    """Build the tables; returns name, start and end (Unix seconds) of each step."""
    times = []
    with duckdb.connect(str(database)) as connection:
        for name, value in _SETTINGS.items():
            connection.execute(f"set {name} = '{value}'")
        connection.execute("set variable landing = ?", [str(folder / "*.csv")])
        for name, statements in steps(_SCRIPT.read_text("utf-8")):
            start = time.time()
            if name == "customer_lifetime_value":
                _fit(connection)
            connection.execute(statements)
            times.append((name, start, time.time()))
    return times


def _fit(connection: duckdb.DuckDBPyConnection) -> None:
    # SQL cannot fit the model, so the script uses the platform's, as it would use a library.
    spec = importlib.util.spec_from_file_location("customer_lifetime_value", _LIFETIME_VALUE)
    assert spec and spec.loader  # it is a file of this checkout
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _write(connection, module)


def _write(connection: duckdb.DuckDBPyConnection, module: ModuleType) -> None:
    variables = project_variables()

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
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]))))
