"""`ecommerce bench`: measure, print the goals, write the page and its plots."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.measure import CommandFailedError
from benchmarks.phases import MILLION, Results, machine, run
from generator.generate import MOST_EVENTS
from project.arguments import nonempty_path, whole_number
from project.errors import UserError, require_extra
from project.home import CHECKOUT, claim, home
from project.output import show
from project.settings import without_dbt_flags

if TYPE_CHECKING:
    from benchmarks.report import Goal

HELP: Final = "measure speed and memory, and write the page of benchmarks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce bench`."""
    parser.add_argument(
        "--events",
        type=whole_number(10_000, MOST_EVENTS),
        help="largest number of events, 10,000 at least (1000000, all of the seven months)",
    )
    parser.add_argument(
        "--seven-months",
        action="store_true",
        help="measure the whole build and a day at the size of all published files instead",
    )
    parser.add_argument(
        "--out",
        type=nonempty_path,
        default=CHECKOUT / "docs",
        help="folder of the page (%(default)s)",
    )
    parser.add_argument(
        "--work",
        type=nonempty_path,
        default=home() / "bench",
        help="folder for files, which are kept, and databases, which are removed (%(default)s)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Measure and write the page; 0, or 1 if a goal was missed.

    Raises UserError if something could not be measured.
    """
    require_extra("bench", "chdb", "matplotlib", "polars", "pyspark")
    require_extra("databricks", "dbt.adapters.databricks")
    if arguments.work == home() / "bench":
        claim(home())
    measure = _measure_months if arguments.seven_months else _measure
    try:
        with without_dbt_flags():
            goals = measure(arguments)
    except CommandFailedError as error:
        raise UserError(*str(error).splitlines()) from error
    for goal in goals:
        show(f"{'met   ' if goal.is_met else 'missed'} {goal.name}: {goal.found} ({goal.limit})")
    return int(not all(goal.is_met for goal in goals))


def _measure(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks import report

    # Write after each size, so that a late failure does not lose an hour's work.
    for results in run(arguments.events or MILLION, arguments.work, _log):
        _write(results, arguments.out, arguments.work)
    show(f"written: {arguments.out / 'benchmarks.md'}")
    return report.goals(results)


def _measure_months(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks import seven_months

    measured = seven_months.run(arguments.events or MOST_EVENTS, arguments.work, _log)
    arguments.out.mkdir(parents=True, exist_ok=True)
    page = arguments.out / "seven_months.md"
    page.write_text(seven_months.page(measured, machine()), encoding="utf-8")
    show(f"written: {page}")
    return seven_months.goals(measured)


def _write(results: Results, out: Path, work: Path) -> None:
    from benchmarks.report import page, plots

    out.mkdir(parents=True, exist_ok=True)
    (out / "benchmarks.md").write_text(page(results), encoding="utf-8")
    plots(results, out / "benchmarks")
    figures = json.dumps(results.as_json(), indent=1) + "\n"
    (work / "results.json").write_text(figures, encoding="utf-8")


def _log(step: str) -> None:
    show(f"{datetime.now():%H:%M:%S} {step}", flush=True)
