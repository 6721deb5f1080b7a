"""Tries each belief about Databricks in a workspace, and writes a file of its answers."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from project.arguments import nonempty_path
from project.errors import UserError, reason
from project.home import CHECKOUT
from project.output import show
from project.targets import catalog_of_target
from workspace.answers import (
    ACCEPTED,
    NOT_AVAILABLE,
    Answers,
    as_text,
    read_answers,
    refused,
    unasked,
)
from workspace.beliefs import ABSENT, FACTS, PROBES, Probe
from workspace.client import add_target, add_warehouse, connect, warehouse_id
from workspace.statements import Result, Warehouse

HELP: Final = (
    "try what the project believes of Databricks, in a scratch schema, and say what differs"
)
# What the double of the tests answers.
BELIEVED: Final = CHECKOUT / "tests" / "warehouse" / "answers.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce databricks probe`."""
    add_target(parser)
    parser.add_argument(
        "--out",
        type=nonempty_path,
        default=Path("answers.json"),
        help="file to write (default: %(default)s)",
    )
    parser.add_argument(
        "--believed",
        type=nonempty_path,
        default=BELIEVED,
        help="answers to compare with (default: those of the tests' double)",
    )
    add_warehouse(parser)


def execute(args: argparse.Namespace) -> int:
    """Ask, write the file and print; 0 if the workspace is as believed, 1 if not.

    A feature that it lacks is no difference. Raises UserError if it cannot be asked.
    """
    believed = read_answers(args.believed, [probe.name for probe in PROBES])
    catalog = catalog_of_target(args.target)
    warehouse = Warehouse(connect(), args.warehouse_id or warehouse_id())
    found = ask(warehouse, catalog)
    args.out.write_text(as_text(found), encoding="utf-8")
    different = 0
    for name, answer in found.answers.items():
        state = "as believed"
        if answer == NOT_AVAILABLE != believed.answers[name]:
            state = "absent"
        elif answer != believed.answers[name]:
            state, different = "different", different + 1
            answer = f"{answer}, not {believed.answers[name]}"
        show(f"{state:<11}  {name}: {answer}")
    show(*(f"fact         {name}: {value}" for name, value in found.facts.items()))
    show(f"{len(found.answers)} probes, {different} different; answers are in {args.out}")
    return 1 if different else 0


def ask(warehouse: Warehouse, catalog: str) -> Answers:
    """Return the answers of all probes; their schema is gone afterwards, whatever happens."""
    with _scratch_schema(warehouse, catalog) as scratch:
        names = {"catalog": f"`{catalog}`", "scratch": scratch, "schema": f"`{catalog}`.{scratch}"}
        answers = {probe.name: _answer(warehouse, probe, names) for probe in PROBES}
        facts = {
            name: _fact(warehouse.run(_filled(statement, names)))
            for name, statement in FACTS.items()
        }
    return Answers(answers, facts)


@contextmanager
def _scratch_schema(warehouse: Warehouse, catalog: str) -> Iterator[str]:
    scratch = f"probe_{secrets.token_hex(4)}"
    place = f"`{catalog}`.{scratch}"
    created = warehouse.run(f"create schema {place}")
    if created.error:
        raise UserError(
            f"{place}: {reason(created.error)}; deploy the bundle, and sign in as one who"
            " may create schemas in the catalog"
        )
    try:
        yield scratch
    finally:
        try:
            left = warehouse.run(f"drop schema if exists {place} cascade").error
        except UserError as error:
            # What ended the probes, such as a token that expired, may prevent this as well.
            left = reason(error)
        if left:
            show(f"{place} is left: {left}; drop it by hand")


def _answer(warehouse: Warehouse, probe: Probe, names: dict[str, str]) -> str:
    for statement in probe.given:
        given = warehouse.run(_filled(statement, names, probe.name))
        if given.error:
            return _refusal(given, probe, unasked)
    result = warehouse.run(_filled(probe.asks, names, probe.name))
    if result.error:
        return _refusal(result, probe, refused)
    if probe.reads is None:
        return ACCEPTED
    rows = result.rows
    if probe.column:
        at = result.columns.index(probe.column)
        rows = [[row[at]] for row in rows]
    return probe.reads(rows)


def _refusal(result: Result, probe: Probe, answer: Callable[[str], str]) -> str:
    found = result.error_class
    is_absent = any(found == one or found.startswith(f"{one}.") for one in (*ABSENT, *probe.absent))
    return NOT_AVAILABLE if is_absent else answer(found)


def _fact(result: Result) -> str:
    """Return one value; of a description, the value of Predictive Optimization."""
    if result.error:
        return NOT_AVAILABLE
    if len(result.columns) == 1:
        return str(result.rows[0][0])
    found = [row[1] for row in result.rows if row[0] == "Predictive Optimization"]
    return str(found[0]) if found else NOT_AVAILABLE


def _filled(statement: str, names: dict[str, str], name: str = "") -> str:
    return statement.format(**names, name=name)
