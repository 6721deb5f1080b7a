"""Finds landed files, follows links, and names everything else that looks like data."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from ingestion import archives
from ingestion.archives import APPLE_DOUBLE, UNFINISHED
from ingestion.formats import (
    HEAD_BYTES,
    READABLE,
    NotReadableError,
    format_by_name,
    mentions_data,
    partition_reason,
    unfinished_stem,
    unread_reason,
)
from project.errors import UserError
from project.home import CATALOG, MANIFEST, MARKER, TRUTH, created_by_runs

# The log of a table format, and a file in it where other folders have that name as well. Older
# files of a table hold rows that it no longer has.
_TABLE_LOGS: Final = {
    "_delta_log": ("", "a Delta table"),
    ".hoodie": ("", "a Hudi table"),
    "metadata": ("*.metadata.json", "an Iceberg table"),
    "snapshot": ("EARLIEST", "a Paimon table"),
}
_OF_TABLE: Final = (
    "whose files hold replaced rows too; write its rows to .parquet or .csv files and land those"
)
# What an unfinished folder is searched for data in: enough for any but a whole file system.
_MOST_ENTRIES: Final = 10_000
# Folders of other programs, whose files are no landed ones: what was deleted, versions, copies.
_TOOLS: Final = (
    *("$recycle.bin", "system volume information", ".trash", ".trashes"),
    *(".git", ".hg", ".svn", ".venv", ".tox", ".nox"),
    *("__pycache__", ".ipynb_checkpoints", "node_modules", "site-packages"),
)
_ENVIRONMENT: Final = "pyvenv.cfg"
_PLACEHOLDER: Final = ".icloud"
_SPECIAL: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class Unread:
    """A file or folder that looks like data and is left out: why, and the remedy."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Landed:
    """What lies at a place, each part in path order; all paths are absolute and resolved."""

    files: tuple[Path, ...]
    """As stored: an archive is one file."""
    unread: tuple[Unread, ...]


def discover(data: Path, option: str = "--data", *, may_be_empty: bool = False) -> Landed:
    """Find the landed files at `data`, a file or a folder; `option` is what the user calls it.

    Follows links, each folder once. Names that start with `.` or `_` are those of unfinished files,
    as in Auto Loader. Opens regular files only. Raises UserError if a folder cannot be read and,
    unless it `may_be_empty`, if there is nothing to read.
    """
    try:
        landed = _discover(data, option)
    except OSError as error:
        raise UserError(
            f"{error.filename or data}: cannot be read: {error.strerror}; get permission to"
            f" read it, or pass another file or folder with {option}"
        ) from error
    if landed.files or may_be_empty:
        return landed
    if not landed.unread:
        raise UserError(f"{data}: no {READABLE} file in this folder; land files first")
    if len(landed.unread) == 1:
        raise UserError(f"{landed.unread[0].path}: {landed.unread[0].reason}")
    reasons = "".join(f"\n  {found.path}: {found.reason}" for found in landed.unread)
    raise UserError(f"{data}: nothing in this folder can be read{reasons}")


def expand(landed: Landed) -> Landed:
    """Put the files in each archive in its place.

    An archive that cannot be listed stays, for the loader to refuse it. Raises UserError if nothing
    is left to read.
    """
    files: list[Path] = []
    unread = list(landed.unread)
    for path in landed.files:
        members, others = _members(path)
        files.extend(members)
        unread.extend(others)
    found = Landed(tuple(sorted(files)), tuple(sorted(unread, key=lambda other: other.path)))
    if not files:
        reasons = "; ".join(f"{other.path}: {other.reason}" for other in found.unread)
        raise UserError(reasons)
    return found


def members(path: Path) -> list[Path]:
    """Return the paths of the files in an archive, or the path itself; see `expand`."""
    return _members(path)[0]


def _members(path: Path) -> tuple[list[Path], list[Unread]]:
    try:
        if not archives.is_archive(path):
            return [path], []
        directory = archives.read_directory(path)
    except (NotReadableError, OSError):
        return [path], []
    # Not `path / name`, which an absolute name would replace.
    unread = [Unread(Path(f"{path}/{name}"), why) for name, why in directory.unread.items()]
    return [path / name for name in directory.members], unread


def _table_format(folder: Path) -> str:
    """Return which table format a folder has, empty if none."""
    for log, (file, title) in _TABLE_LOGS.items():
        inside = folder / log
        if inside.is_dir() and (not file or any(inside.glob(file))):
            return title
    return ""


def _reason_above(path: Path) -> str:
    """Return why what lies in the folders of a resolved path is not read; empty if it is."""
    for folder in path.parents:
        if reason := partition_reason(folder.name):
            return reason
        if title := _table_format(folder):
            return f"belongs to {title} in {folder}, {_OF_TABLE}"
    return ""


def _discover(data: Path, option: str) -> Landed:
    if special := _special(data):
        raise UserError(
            f"{data}: is {special}, not a file, and cannot be read twice; write its content to a"
            f" file and pass that with {option}"
        )
    if not data.exists():
        raise UserError(f"{data}: no such file or folder; pass one with {option}")
    if reason := _reason_above(data.resolve()):
        return _landed([Unread(data, reason)])
    if data.is_file():
        if format_by_name(data.name) is not None:
            return _landed([data.resolve()])
        unnamed = Unread(data, f"not a {READABLE} file; rename or convert it")
        return _landed([_judge(data, data.resolve()) or unnamed])
    return _landed(list(_walk(data.resolve())))


def _landed(found: list[Path | Unread]) -> Landed:
    files = {path for path in found if isinstance(path, Path)}
    # What a link names well may have a name of its own that is not read.
    unread = {other for other in found if isinstance(other, Unread) and other.path not in files}
    return Landed(
        tuple(sorted(files)),
        tuple(sorted(unread, key=lambda other: (other.path, other.reason))),
    )


def _walk(root: Path) -> Iterator[Path | Unread]:
    """Yield what lies below a folder, whose path is resolved."""
    waiting, seen = [root], {root}
    while waiting:
        folder = waiting.pop()
        if title := _table_format(folder):
            yield Unread(folder, f"is {title}, {_OF_TABLE}")
            continue
        if reason := partition_reason(folder.name):
            yield Unread(folder, reason)
            continue
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        own = _own_names(folder)
        for name in names:
            if name in own:
                continue
            path = Path(folder, name)
            # A path may not be resolved because of a cycle among links.
            target = _target(path)
            if target is None:
                yield from _broken_link(path)
            elif not target.is_dir():
                found = _judge(path, target)
                if found == target and path.is_symlink() and (reason := _reason_above(target)):
                    found = Unread(path, reason)
                yield from filter(None, [found])
            elif _is_home(target) or _is_of_tool(target):
                continue
            elif name.startswith(UNFINISHED):
                yield from _unfinished_folder(path, f"the `{name[0]}`")
            elif format_by_name(unfinished_stem(name)) is not None:
                # As Safari makes one for a download.
                yield from _unfinished_folder(path, "the end")
            elif path.is_symlink() and (folder == target or target in folder.parents):
                yield Unread(path, "links to a folder that holds it, so it is not followed")
            elif path.is_symlink() and (reason := _reason_above(target)):
                yield Unread(path, reason)
            elif target not in seen:
                seen.add(target)
                waiting.append(target)


def _target(path: Path) -> Path | None:
    """Return what a path leads to, None for a link that leads to nothing."""
    try:
        path.stat()
        return path.resolve()
    except FileNotFoundError:
        return None
    except OSError:
        if path.is_symlink():
            return None
        raise


def _broken_link(path: Path) -> Iterator[Unread]:
    if path.is_symlink() and not path.name.startswith(UNFINISHED):
        place = path.readlink()
        yield Unread(path, f"is a link to {place}, which cannot be reached; restore or remove it")


def _judge(path: Path, target: Path) -> Path | Unread | None:
    """Return a file to load, what to say of it, or None for a file that is not data."""
    name = path.name
    if name in (MANIFEST, TRUTH) or name.startswith(APPLE_DOUBLE):
        return None
    if name.startswith(UNFINISHED):
        if not mentions_data(name):
            return None
        if name.endswith(_PLACEHOLDER):
            return Unread(
                path, "is the placeholder of a file that iCloud has not downloaded; download it"
            )
        return Unread(path, f"is unfinished, says the `{name[0]}` of its name; rename it when done")
    if special := _special(target):
        return Unread(path, f"is {special}, not a file; write its content to a file")
    if format_by_name(name) is not None:
        return target
    try:
        with target.open("rb") as stored:
            head = stored.read(HEAD_BYTES)
    except OSError:
        head = b""
    reason = unread_reason(name, head)
    return Unread(path, reason) if reason else None


def _special(path: Path) -> str:
    try:
        return _SPECIAL.get(stat.S_IFMT(path.stat().st_mode), "")
    except OSError:
        return ""


def _unfinished_folder(path: Path, sign: str) -> Iterator[Unread]:
    """Name a folder that is left out if data files lie in it, at any depth."""
    if any(_is_data_name(name) for name in islice(_names_below(path), _MOST_ENTRIES)):
        yield Unread(path, f"is unfinished, says {sign} of its name; rename it when done")


def _names_below(path: Path) -> Iterator[str]:
    for _, folders, files in os.walk(path):
        if MARKER in files:
            folders.clear()
        else:
            yield from (*folders, *files)


def _is_home(folder: Path) -> bool:
    """Whether runs keep their own files in a folder, generated events among them."""
    try:
        return (folder / MARKER).exists()
    except OSError:
        return False


def _own_names(folder: Path) -> frozenset[str]:
    """Return what runs have created in a folder, if it is their home, but for landed files."""
    if not _is_home(folder):
        return frozenset()
    return frozenset((*created_by_runs(folder), f"{CATALOG}.duckdb", f"{CATALOG}.duckdb.wal"))


def _is_of_tool(folder: Path) -> bool:
    name = folder.name.lower()
    try:
        return name in _TOOLS or name.startswith(".trash-") or (folder / _ENVIRONMENT).exists()
    except OSError:
        return False


def _is_data_name(name: str) -> bool:
    return not name.startswith(UNFINISHED) and format_by_name(name) is not None
