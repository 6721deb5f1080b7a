"""The folder of an export: written beside, renamed when complete, described by a manifest."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from export.formats import FORMATS
from project.errors import UserError

# What a manifest says: `format`, `tables` by name, and what they are of.
Content: TypeAlias = dict[str, Any]

MANIFEST: Final = "manifest.json"
STATE: Final = "unfinished.json"
"""The manifest of an export that is not complete: what it has so far."""
# What one of the formats takes for a part of an address, a pattern or no text, and then writes
# elsewhere or reads other files.
_UNUSABLE: Final = re.compile(r"[\x00-\x1f?%*\[\]|^\\\ud800-\udfff]")


def resolved(target: Path) -> Path:
    """Return the absolute path of a folder, which may not exist, without links.

    Raises UserError for one that not every format can write and read.
    """
    path = Path(os.path.realpath(target))
    if path == path.parent:
        raise UserError(f"{path}: is the root of the file system; choose another folder")
    if found := _UNUSABLE.search(str(path)):
        raise UserError(
            f"{path}: has {found[0]!a} in its path, which formats read as something else; choose"
            " another folder"
        )
    return path


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Give a folder to write to, and rename it to the target when the block has succeeded.

    It has what an interrupted export left. An earlier export at the target is replaced. Raises
    UserError if another export is writing, and for a target with anything else.
    """
    aside, folder = (target.with_name(target.name + end) for end in (".replaced", ".unfinished"))
    if aside.exists() and not target.exists():
        # A process ended between the two renames.
        aside.rename(target)
    for place in (target, aside, folder):
        _require_ours(place)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        yield folder
        shutil.rmtree(aside, ignore_errors=True)
        if target.exists():
            target.rename(aside)
        folder.rename(target)
        shutil.rmtree(aside, ignore_errors=True)


def _require_ours(folder: Path) -> None:
    """Raise UserError unless the folder is missing, empty or an export without other files."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; choose another (--to)")
    found = {path.name for path in folder.iterdir()}
    # What an interrupted export has begun is listed nowhere.
    others = set() if read(folder / STATE) else found - _names(read(folder / MANIFEST))
    if others:
        what = "is not an export" if others == found else "has other files than its export"
        raise UserError(
            f"{folder}: {what}: {min(others)}; choose another folder (--to), or move its files away"
        )


def _names(content: Content | None) -> set[str]:
    """Return the names of an export's files in its folder."""
    if content is None or content.get("format") not in FORMATS:
        return set()
    files = FORMATS[content["format"]].files
    return {MANIFEST} | {file.format(name) for file in files for name in content["tables"]}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        # The system releases the lock when the process ends, however it ends.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise UserError(
            f"{folder}: another export is writing it; wait until it ends, then run again"
        ) from error
    try:
        yield
    finally:
        os.close(handle)


def read(path: Path) -> Content | None:
    """Return what a manifest says, None if there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_manifest = isinstance(content, dict) and isinstance(content.get("tables"), dict)
    return content if is_manifest else None


def write(path: Path, content: Content) -> None:
    """Write a manifest, whole or not at all."""
    written = path.with_name(f"{path.name}.new")
    written.write_text(f"{json.dumps(content, indent=1)}\n", encoding="utf-8")
    written.replace(path)
