"""Local CSV files to the landing folder of a workspace: whole, once, several at a time."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import Final, NoReturn

from tqdm import tqdm

from ingestion.landing_files import discover
from ingestion.landing_volume import Contents, LandingVolume
from project.arguments import positive_integer
from project.errors import UserError
from workspace.client import add_target, connect, refusals

HELP: Final = "upload .csv and .csv.gz files into the landing folder of a Databricks workspace"


@dataclass(frozen=True)
class Plan:
    """What is to be done with each of the given files."""

    send: tuple[Path, ...]
    resend: tuple[Path, ...]
    """Over what an interrupted upload has left."""
    present: tuple[Path, ...]
    refused: dict[Path, str]
    """With the reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce upload`."""
    add_target(parser)
    parser.add_argument("files", nargs="+", type=Path, help="files, or folders to search")
    parser.add_argument(
        "--jobs",
        type=positive_integer,
        default=4,
        help="files sent at a time (default: %(default)s)",
    )


def execute(args: argparse.Namespace) -> int:
    """Upload what is not there yet and print what became of each file.

    Raises UserError if an upload fails, or at the end if a file was refused.
    """
    sizes = local_sizes(args.files)
    volume = LandingVolume(connect(), f"ecommerce_analytics_{args.target}")
    with _refusals(volume, args.target, volume.folder):
        contents = volume.contents()
        plan = make_plan(sizes, contents, volume.folder)
        for path in plan.present:
            # Its upload was interrupted after the last byte.
            if (path.name, sizes[path]) in contents.begun:
                volume.forget(path.name, sizes[path])
    for path, reason in plan.refused.items():
        print(f"refused  {path}: {reason}")
    upload(volume, args.target, sizes, plan, args.jobs)
    counts = {
        "uploaded": len(plan.send) + len(plan.resend),
        "already there": len(plan.present),
        "refused": len(plan.refused),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    print(f"files: {told}; in {volume.folder}")
    if plan.refused:
        raise UserError(f"{len(plan.refused)} of {len(sizes)} files refused; reasons above")
    return 0


def _refusals(volume: LandingVolume, target: str, place: object) -> AbstractContextManager[None]:
    return refusals(
        str(place),
        forbidden=f"ask an owner of the catalog for READ VOLUME and WRITE VOLUME on {volume.name}",
        missing=f"deploy the bundle first: databricks bundle deploy --target {target}",
    )


def local_sizes(given: Sequence[Path]) -> dict[Path, int]:
    """Find the files and their sizes in bytes, in path order.

    Raises UserError for what cannot be read and for names that cannot stand in the landing
    folder, where a file is known by its name alone, whatever folder it came from.
    """
    paths = sorted({path for data in given for path in discover(data)})
    for name, count in Counter(path.name for path in paths).items():
        if count > 1:
            same = ", ".join(str(path) for path in paths if path.name == name)
            raise UserError(f"{count} files named {name}: {same}; rename or leave out")
        if name.startswith((".", "_")):
            raise UserError(
                f"{name}: Auto Loader passes over names that begin with `.` or `_`; rename it"
            )
    try:
        return {path: path.stat().st_size for path in paths}
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> UserError:
    return UserError(
        f"{error.filename}: cannot be read: {error.strerror}; bring it back, then run again"
    )


def make_plan(sizes: dict[Path, int], contents: Contents, folder: str) -> Plan:
    """Compare local sizes with what the landing folder holds."""
    send, resend, present = [], [], []
    refused = {}
    for path, size in sizes.items():
        landed = contents.landed.get(path.name)
        if landed is None:
            send.append(path)
        elif landed == size:
            present.append(path)
        elif contents.is_remnant(path.name):
            resend.append(path)
        else:
            refused[path] = (
                f"{folder} has a file of this name with {landed:,} bytes, this one has {size:,};"
                " a landed file is loaded once, so land new data under a new name"
            )
    return Plan(tuple(send), tuple(resend), tuple(present), refused)


def upload(
    volume: LandingVolume, target: str, sizes: dict[Path, int], plan: Plan, jobs: int
) -> None:
    """Send the files of the plan, `jobs` at a time, and print a line for each that is there whole.

    The first failure, and Ctrl-C, stop the others: what is whole stays, and the next call goes on.
    """
    stopped = Event()

    def send(path: Path, moved: Callable[[int], None]) -> str:
        start = monotonic()
        with _refusals(volume, target, path):
            try:
                volume.put(path, sizes[path], over_remnant=path in plan.resend, moved=moved)
            except FileNotFoundError as error:
                raise _unreadable(error) from error
        return f"uploaded {path}: {sizes[path]:,} bytes in {monotonic() - start:.1f} s"

    queue = [*plan.resend, *plan.send]
    total = sum(sizes[path] for path in queue)
    with (
        tqdm(total=total, unit="B", unit_scale=True, desc="upload", disable=None) as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        lock = Lock()
        futures = [pool.submit(send, path, _Progress(bar, lock, stopped)) for path in queue]
        try:
            for future in as_completed(futures):
                tqdm.write(future.result())
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Stopped(Exception):
    """Another upload has failed, or the user has had enough."""


class _Progress:
    """Tells the bar how far one file has come; the SDK goes back to repeat a request."""

    def __init__(self, bar: tqdm[NoReturn], lock: Lock, stopped: Event) -> None:
        self._bar, self._lock, self._stopped = bar, lock, stopped
        self._position = 0

    def __call__(self, position: int) -> None:
        if self._stopped.is_set():
            raise _Stopped
        with self._lock:
            self._bar.update(position - self._position)
        self._position = position
