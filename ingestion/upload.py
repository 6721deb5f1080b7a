"""Uploads local files to the landing folder of a workspace: whole, once, in parallel."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import Final, NoReturn

from tqdm import tqdm

from ingestion.contents import require_readable
from ingestion.discovery import discover
from ingestion.formats import NotReadableError, format_by_name
from ingestion.landing_volume import Contents, LandingVolume
from project.arguments import data_path, positive_integer
from project.errors import UserError
from project.output import escaped, show
from project.targets import catalog_of_target
from workspace.client import add_target, connect, translate_errors

HELP: Final = "upload CSV, Parquet and zip files into the landing folder of a Databricks workspace"


@dataclass(frozen=True)
class Plan:
    """What to do with each of the given files."""

    send: tuple[Path, ...]
    resend: tuple[Path, ...]
    """Replace a partial upload."""
    present: tuple[Path, ...]
    refused: dict[Path, str]
    """With the reason for each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce upload`."""
    add_target(parser)
    parser.add_argument("files", nargs="+", type=data_path, help="files or folders to upload")
    parser.add_argument(
        "--jobs",
        type=positive_integer,
        default=4,
        help="files to upload at a time (default: %(default)s)",
    )


def execute(args: argparse.Namespace) -> int:
    """Upload files that are not there yet, and print the outcome for each.

    Raises UserError if an upload fails, or at the end if a file was refused.
    """
    landed = [discover(data) for data in args.files]
    sizes = local_sizes({path for found in landed for path in found.files})
    unreadable = find_unreadable(sizes)
    volume = LandingVolume(connect(), catalog_of_target(args.target))
    with _translate_errors(volume, args.target, volume.folder):
        contents = volume.contents()
        plan = make_plan(sizes, unreadable, contents, volume.folder)
        for path in plan.present:
            # The upload was interrupted after the last byte.
            if (path.name, sizes[path]) in contents.begun:
                volume.delete_note(path.name, sizes[path])
    skipped = {found.path: found.reason for place in landed for found in place.unread}
    for path, reason in skipped.items():
        show(f"skipped  {path}: {reason}")
    for path, reason in plan.refused.items():
        show(f"refused  {path}: {reason}")
    upload(volume, args.target, sizes, plan, args.jobs)
    counts = {
        "uploaded": len(plan.send) + len(plan.resend),
        "already there": len(plan.present),
        "refused": len(plan.refused),
        "skipped": len(skipped),
    }
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    show(f"files: {summary}; in {volume.folder}")
    if plan.refused:
        raise UserError(f"{len(plan.refused)} of {len(sizes)} files refused; reasons above")
    return 0


def _translate_errors(
    volume: LandingVolume, target: str, place: object
) -> AbstractContextManager[None]:
    return translate_errors(
        str(place),
        forbidden=f"ask an owner of the catalog for READ VOLUME and WRITE VOLUME on {volume.name}",
        missing=f"deploy the bundle first: databricks bundle deploy --target {target}",
    )


def local_sizes(found: Iterable[Path]) -> dict[Path, int]:
    """Return the sizes of the files in bytes, in path order.

    Raises UserError for a path that cannot be read and for names that the landing folder cannot
    hold: there the name alone identifies a file, without the folder it came from.
    """
    paths = sorted(found)
    for name, count in Counter(path.name for path in paths).items():
        if count > 1:
            same = ", ".join(str(path) for path in paths if path.name == name)
            raise UserError(f"{count} files named {name}: {same}; rename or leave out all but one")
        if name.startswith((".", "_")):
            raise UserError(
                f"{name}: Auto Loader skips names that start with `.` or `_`; rename it"
            )
    try:
        return {path: path.stat().st_size for path in paths}
    except OSError as error:
        raise _unreadable(error) from error


def find_unreadable(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the files that the loader would refuse by their first bytes, with the reasons.

    In the landing folder a corrected file would need another name. Raises UserError for a file that
    cannot be read.
    """
    found = {}
    for path in paths:
        if format_by_name(path.name) is None:
            found[path] = "is the target of a link and its own name is not read; copy it instead"
            continue
        try:
            require_readable(path)
        except NotReadableError as error:
            found[path] = str(error)
        except OSError as error:
            raise _unreadable(error) from error
    return found


def _unreadable(error: OSError) -> UserError:
    return UserError(
        f"{error.filename}: cannot be read: {error.strerror}; restore it, then run again"
    )


def make_plan(
    sizes: dict[Path, int], unreadable: dict[Path, str], contents: Contents, folder: str
) -> Plan:
    """Compare local sizes with the contents of the landing folder; refuse unreadable files."""
    send, resend, present = [], [], []
    refused = dict(unreadable)
    for path, size in sizes.items():
        if path in unreadable:
            continue
        landed = contents.landed.get(path.name)
        if landed is None:
            send.append(path)
        elif landed == size:
            present.append(path)
        elif contents.is_partial(path.name):
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
    """Upload the files of the plan, `jobs` at a time, and print a line for each one that arrived.

    The first failure or Ctrl-C stops the others; whole files stay, and the next run continues.
    """
    stopped = Event()

    def send(path: Path, progress: Callable[[int], None]) -> str:
        start = monotonic()
        with _translate_errors(volume, target, path):
            try:
                volume.put(
                    path, sizes[path], over_partial=path in plan.resend, on_progress=progress
                )
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
                tqdm.write(escaped(future.result()))
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Stopped(Exception):
    """Another upload failed, or the user pressed Ctrl-C."""


class _Progress:
    """Moves the bar by the progress of one file; the SDK moves back to repeat a request."""

    def __init__(self, bar: tqdm[NoReturn], lock: Lock, stopped: Event) -> None:
        self._bar, self._lock, self._stopped = bar, lock, stopped
        self._position = 0

    def __call__(self, position: int) -> None:
        if self._stopped.is_set():
            raise _Stopped
        with self._lock:
            self._bar.update(position - self._position)
        self._position = position
