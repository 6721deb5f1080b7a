"""`python -m benchmarks`: measure, print the goals, write the page and its plots."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path

from benchmarks.measure import CommandFailed
from benchmarks.phases import Results, run
from benchmarks.report import goals, page, plots
from ingestion.home import CHECKOUT, home


def main() -> int:
    """Return 0, 1 if a goal was missed, 2 if something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
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
        help="folder of generated files, kept, and of databases, removed (%(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.events < 10_000:
        print("error: --events: at least 10000, or every time is dbt's start-up", file=sys.stderr)
        return 2
    try:
        # An hour's work is not lost to what fails in its last minute.
        for results in run(arguments.events, arguments.work, _tell):
            _write(results, arguments.out, arguments.work)
    except CommandFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for goal in goals(results):
        print(f"{'met   ' if goal.is_met else 'missed'} {goal.name}: {goal.found} ({goal.limit})")
    print(f"written: {arguments.out / 'benchmarks.md'}")
    return int(not all(goal.is_met for goal in goals(results)))


def _write(results: Results, out: Path, work: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "benchmarks.md").write_text(page(results), encoding="utf-8")
    plots(results, out / "benchmarks")
    figures = json.dumps(results.as_json(), indent=1) + "\n"
    (work / "results.json").write_text(figures, encoding="utf-8")


def _tell(step: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {step}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
