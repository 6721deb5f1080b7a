"""`ecommerce bench`: measure, print the goals, write the page and its plots."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Final

from benchmarks.measure import CommandFailed
from benchmarks.phases import Results, run
from project.errors import UserError, require_extra
from project.home import CHECKOUT, home

HELP: Final = "measure speed and memory, and write the page of benchmarks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce bench`."""
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="largest number of events (%(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=CHECKOUT / "docs", help="folder of the page (%(default)s)"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=home() / "bench",
        help="folder for files, which are kept, and databases, which are removed (%(default)s)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Measure and write the page; 0, or 1 if a goal was missed.

    Raises UserError if something could not be measured.
    """
    if arguments.events < 10_000:
        raise UserError("--events: must be at least 10000, or dbt's start-up dominates every time")
    require_extra("bench", "matplotlib", "pyspark")
    require_extra("databricks", "dbt.adapters.databricks")
    from benchmarks import report

    try:
        # Write after each size, so that a late failure does not lose an hour's work.
        for results in run(arguments.events, arguments.work, _log):
            _write(results, arguments.out, arguments.work)
    except CommandFailed as error:
        raise UserError(str(error)) from error
    goals = report.goals(results)
    for goal in goals:
        print(f"{'met   ' if goal.is_met else 'missed'} {goal.name}: {goal.found} ({goal.limit})")
    print(f"written: {arguments.out / 'benchmarks.md'}")
    return int(not all(goal.is_met for goal in goals))


def _write(results: Results, out: Path, work: Path) -> None:
    from benchmarks.report import page, plots

    out.mkdir(parents=True, exist_ok=True)
    (out / "benchmarks.md").write_text(page(results), encoding="utf-8")
    plots(results, out / "benchmarks")
    figures = json.dumps(results.as_json(), indent=1) + "\n"
    (work / "results.json").write_text(figures, encoding="utf-8")


def _log(step: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {step}", flush=True)
