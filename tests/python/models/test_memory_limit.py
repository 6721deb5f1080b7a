"""How much memory and how many threads DuckDB gets on machines of several sizes."""

from __future__ import annotations

import duckdb
import pytest
from jinja2 import Environment

from project.home import CHECKOUT

MACROS = Environment(extensions=["jinja2.ext.do"]).from_string(
    (CHECKOUT / "macros" / "engine" / "functions.sql").read_text("utf-8")
)


def value(expression: str) -> object:
    with duckdb.connect() as connection:
        [(found,)] = connection.execute(f"select {expression}").fetchall()
        return found


@pytest.mark.parametrize(
    ("machine", "is_update", "limit"),
    [
        # DuckDB's own default, four fifths of 24, 8, 4 and 1 GiB.
        ("19.2 GiB", False, 7_500_000_000),
        ("19.2 GiB", True, 4_000_000_000),
        ("6.4 GiB", False, 3_435_973_836),
        ("6.4 GiB", True, 3_435_973_836),
        ("3.2 GiB", False, 1_717_986_918),
        ("819.2 MiB", True, 429_496_729),
    ],
)
def test_a_small_machine_keeps_half_of_its_memory(
    machine: str, is_update: bool, limit: int
) -> None:
    expression = str(vars(MACROS.module)["memory_limit"](f"'{machine}'", is_update))
    assert value(expression) == f"{limit}B"
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = {expression}")


@pytest.mark.parametrize(
    ("cores", "memory", "threads"),
    [
        (2, "7.4 GiB", 2),
        (16, "7.4 GiB", 15),
        (8, "3.2 GiB", 6),
        (8, "100.0 MiB", 1),
        (1, "3 GiB", 1),
    ],
)
def test_each_thread_has_memory_of_its_own(cores: int, memory: str, threads: int) -> None:
    assert value(str(vars(MACROS.module)["thread_limit"](cores, f"'{memory}'"))) == threads
