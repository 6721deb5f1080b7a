"""Writes generated click streams: one CSV file per day, the truth planted in them, a manifest.

The same parameters give the same bytes, for any number of processes. Malformed lines
(`dirty_share`) replace well-formed ones: the files always contain exactly `events` records.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from pathlib import Path
from typing import Final

from tqdm import tqdm

from generator.clickstream import Clickstream
from generator.day_files import DayWriter, file_name, is_file_name, partial_name
from generator.plan import Plan
from generator.planted import truth
from project.arguments import calendar_day, nonempty_path, number, whole_number
from project.errors import UserError
from project.home import MANIFEST, TRUTH, landing_path
from project.output import show
from project.variables import project_variables

HELP: Final = "write generated click streams, one CSV file per day"
# The name hides it from loaders; it is renamed to the manifest when all files are complete.
UNFINISHED_MANIFEST: Final = ".generated.json.unfinished"
# The defaults: the days of the published data.
EVENTS: Final = 1_000_000
FIRST_DAY: Final = date(2019, 10, 1)
DAYS: Final = 61
SEED: Final = 42
FEWEST_EVENTS: Final = 1_000
# October 2019 to April 2020 as published.
MOST_EVENTS: Final = 411_709_736
MOST_DAYS: Final = 3_650
EVENTS_ARGUMENT: Final = whole_number(FEWEST_EVENTS, MOST_EVENTS)
# With fewer events, starting a second process costs more than it saves.
EVENTS_PER_PROCESS: Final = 1_000_000

_writer: DayWriter | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `generate`."""
    parser.add_argument(
        "--events",
        type=EVENTS_ARGUMENT,
        default=EVENTS,
        metavar="N",
        help="number of events (%(default)s)",
    )
    parser.add_argument(
        "--from",
        dest="first_day",
        type=calendar_day,
        default=FIRST_DAY,
        metavar="DATE",
        help="first day (%(default)s)",
    )
    parser.add_argument(
        "--days",
        type=whole_number(1, MOST_DAYS),
        default=DAYS,
        help="number of days (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=SEED, help="seed of all draws (%(default)s)"
    )
    parser.add_argument(
        "--out", type=nonempty_path, default=None, metavar="DIR", help="folder (the landing zone)"
    )
    parser.add_argument(
        "--dirty",
        type=number(0, 1),
        default=0.0,
        metavar="SHARE",
        help="share of malformed lines (0)",
    )
    parser.add_argument("--gzip", action="store_true", help="write compressed files (.csv.gz)")


def execute(args: argparse.Namespace) -> int:
    """Generate, and print the result; returns 0."""
    earliest = str(project_variables()["earliest_event_date"])
    if args.first_day < date.fromisoformat(earliest):
        raise UserError(
            f"argument --from: {args.first_day} is before {earliest}, the var earliest_event_date,"
            " so that its events would be rejected; choose a later day"
        )
    out = Path(os.path.realpath(args.out or landing_path()))
    present = (out / MANIFEST).exists()
    files = generate(
        args.events, args.first_day, args.days, args.seed, out, args.dirty, is_gzipped=args.gzip
    )
    state = "already there" if present else "written"
    number = f"{len(files)} file{'' if len(files) == 1 else 's'}"
    show(f"{args.events:,} events in {number} {state}: {out}")
    return 0


def generate(
    events: int,
    first_day: date,
    days: int,
    seed: int,
    out: Path,
    dirty_share: float = 0.0,
    *,
    is_gzipped: bool = False,
    processes: int | None = None,
    remedy: str = "choose another --out or remove the folder",
) -> list[Path]:
    """Write `events` rows over `days` days to `out` and return the files in order of date.

    A folder that already has this run is left unchanged; an interrupted run continues where it
    stopped. `processes` defaults to the number of processors. Raises UserError for parameters out
    of range and for a folder with anything else, with `remedy` for the latter.
    """
    _check(events, first_day, days, seed, dirty_share)
    plan = Plan(events, first_day, days, seed, dirty_share, is_gzipped)
    files = [out / file_name(plan, day) for day in range(days)]
    missing = _claim(plan, out, files, remedy)
    if missing:
        workers = processes or min(os.cpu_count() or 1, math.ceil(events / EVENTS_PER_PROCESS))
        with tqdm(total=events, unit=" events", unit_scale=True, disable=None) as progress:
            for rows in _write(plan, out, missing, min(workers, len(missing))):
                progress.update(rows)
    if (out / UNFINISHED_MANIFEST).exists():
        (out / UNFINISHED_MANIFEST).replace(out / MANIFEST)
    return files


def _check(events: int, first_day: date, days: int, seed: int, dirty_share: float) -> None:
    """Raise UserError for a parameter out of range."""
    if not FEWEST_EVENTS <= events <= MOST_EVENTS:
        raise UserError(
            f"cannot generate {events:,} events: choose from {FEWEST_EVENTS:,} to {MOST_EVENTS:,}"
        )
    if not 1 <= days <= min(MOST_DAYS, (date.max - first_day).days):
        raise UserError(
            f"cannot generate {days:,} days from {first_day}: choose from 1 to {MOST_DAYS:,}, and"
            f" the last day (--from, --days) before {date.max}"
        )
    if seed < 0:
        raise UserError(f"cannot use the seed {seed}: choose 0 or more")
    if not 0 <= dirty_share <= 1:
        raise UserError(f"cannot spoil a share of {dirty_share}: choose from 0 to 1")


def generated_files(out: Path) -> list[Path]:
    """Return the files that `generate` wrote to `out`, finished or not, manifests last."""
    manifests = [out / name for name in (MANIFEST, UNFINISHED_MANIFEST) if (out / name).is_file()]
    names: list[str] = []
    for manifest in manifests:
        try:
            run = json.loads(manifest.read_text(encoding="utf-8"))
            plan = Plan(
                run["events"],
                date.fromisoformat(run["first_day"]),
                run["days"],
                0,
                is_gzipped=run.get("gzip", False),
            )
            names.extend(file_name(plan, day) for day in range(plan.days))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{manifest} is damaged, so generated files cannot be distinguished from"
                f" others: remove {out} yourself"
            ) from error
    files = [out / name for name in names] + [out / partial_name(name) for name in names]
    if manifests:
        files.append(out / TRUTH)
    return [path for path in files if path.is_file()] + manifests


def generated_among(paths: Iterable[Path]) -> set[Path]:
    """Return those of the resolved paths that belong to generated files below the landing folder.

    The manifest in a file's own folder decides. A file that is gone from the landing folder itself
    belongs to them by its name: bronze may still hold its rows. Raises UserError for a damaged
    manifest.
    """
    landing = landing_path().resolve()
    landed = [path for path in paths if path.is_relative_to(landing)]
    present = {file for folder in {p.parent for p in landed} for file in generated_files(folder)}
    return {
        path
        for path in landed
        if path in present
        or (path.parent == landing and is_file_name(path.name) and not path.exists())
    }


def _claim(plan: Plan, out: Path, files: list[Path], remedy: str) -> list[int]:
    """Mark the folder as that of this run, and return the days whose files are missing."""
    parameters = {
        "events": plan.events,
        "first_day": plan.first_day.isoformat(),
        "days": plan.days,
        "seed": plan.seed,
        "dirty_share": plan.dirty_share,
        **({"gzip": True} if plan.is_gzipped else {}),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        claims = [out / name for name in (MANIFEST, UNFINISHED_MANIFEST) if (out / name).exists()]
        for claim in claims:
            try:
                found = json.loads(claim.read_text(encoding="utf-8"))
            except ValueError:
                found = None
            if found != parameters:
                raise UserError(
                    f"{claim} belongs to a run with other parameters ({found}): {remedy}"
                )
        if not claims:
            foreign = next(out.glob("events_*.csv*"), None)
            if foreign is not None:
                raise UserError(f"{foreign} is not from a known run: {remedy}")
            written = out / f"{UNFINISHED_MANIFEST}.new"
            written.write_text(json.dumps(parameters, indent=2) + "\n", encoding="utf-8")
            written.replace(out / UNFINISHED_MANIFEST)
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}; {remedy}") from error
    return [day for day, file in enumerate(files) if not file.exists()]


def _write(plan: Plan, out: Path, days: list[int], processes: int) -> Iterator[int]:
    """Write these days; yields the number of rows of each as it is done."""
    try:
        if processes == 1:
            writer = DayWriter(plan)
            _write_truth(writer.clickstream, out)
            yield from (writer.write(day, out) for day in days)
            return
        _write_truth(Clickstream(plan), out)
        # A fork beside the threads of Arrow may hang, so spawn.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, _start, (plan,)) as pool:
            # The largest days first, so that all processes end at about the same time.
            order = sorted(days, key=lambda day: -int(plan.day_events[day]))
            for done in as_completed([pool.submit(_write_day, day, out) for day in order]):
                yield done.result()
    except OSError as error:
        raise UserError(
            f"cannot write to {out}: {error.strerror}; free some space, then run the same command"
            " again"
        ) from error
    except BrokenProcessPool as error:
        raise UserError(
            f"a process that wrote to {out} was killed; run the same command again to continue"
        ) from error


def _write_truth(run: Clickstream, out: Path) -> None:
    """Write what is planted in the events beside them."""
    planted = truth(run.catalog, run.planted, run.plan.first_day)
    (out / TRUTH).write_text(json.dumps(planted, indent=2) + "\n", encoding="utf-8")


def _start(plan: Plan) -> None:
    """Set up a worker process."""
    global _writer
    _writer = DayWriter(plan)


def _write_day(day: int, out: Path) -> int:
    """Write one day in a worker process."""
    assert _writer is not None
    return _writer.write(day, out)
