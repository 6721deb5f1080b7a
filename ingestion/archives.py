"""Files in zip archives: each is a file of its own, under the path `<archive>/<name inside>`.

Nothing is unpacked: a member is read as a stream.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import IO, Final

from ingestion.formats import (
    HEAD_BYTES,
    Format,
    NotReadableError,
    damaged,
    format_by_content,
    format_by_name,
    partition_reason,
    unread_reason,
)

UNFINISHED: Final = (".", "_")
"""How names of unfinished files begin."""
APPLE_DOUBLE: Final = "._"
"""How names begin that macOS gives to what it keeps beside a file."""

_RESOURCE_FORKS: Final = "__MACOSX"
_IS_ENCRYPTED: Final = 0x1
_UNPACK: Final = "unpack the archive"
_DECRYPT: Final = f"{_UNPACK} with its password"
_DIRECTORY_ERRORS: Final = (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError)

MEMBER_ERRORS: Final = (*_DIRECTORY_ERRORS, zlib.error, lzma.LZMAError, RuntimeError)
"""What reading a damaged file raises, apart from OSError."""


@dataclass(frozen=True)
class Member:
    """A file in an archive."""

    info: zipfile.ZipInfo
    problem: str
    """Why it cannot be read, with the remedy; empty if it can be."""


@dataclass(frozen=True)
class Directory:
    """The data files of one archive by their name in it, and what else looks like data."""

    members: dict[str, Member]
    unread: dict[str, str]
    """With the reason and the remedy for each."""


# An archive is listed once, although each of its files asks for it several times.
_latest: dict[tuple[Path, int, int], Directory] = {}


def split(path: Path) -> tuple[Path, str] | None:
    """Return the archive and the name in it, None for the path of a file or of nothing."""
    for archive in path.parents:
        try:
            is_file = S_ISREG(archive.stat().st_mode)
        except NotADirectoryError:
            continue
        except OSError:
            return None
        return (archive, path.relative_to(archive).as_posix()) if is_file else None
    return None


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip archive by name, or by content under a nameless path."""
    promised = format_by_name(path.name)
    if promised is None:
        with path.open("rb") as stored:
            return format_by_content(stored.read(4)) is Format.ZIP
    return promised is Format.ZIP


def read_directory(archive: Path) -> Directory:
    """List an archive. Raises OSError, and NotReadableError if it is damaged or holds no data."""
    status = archive.stat()
    key = (archive, status.st_size, status.st_mtime_ns)
    directory = _latest.get(key)
    if directory is None:
        directory = _list(archive)
        _latest.clear()
        _latest[key] = directory
    return directory


def _list(archive: Path) -> Directory:
    try:
        with zipfile.ZipFile(archive) as opened:
            infos = [info for info in opened.infolist() if _is_file(info)]
            heads = {info.filename: _head(opened, info) for info in infos if _is_unknown(info)}
    except _DIRECTORY_ERRORS as error:
        raise damaged("zip", error) from error
    names = Counter(_name(info) for info in infos)
    members, unread = {}, {}
    for info in infos:
        name = _name(info)
        parts = PurePosixPath(name).parts
        if _RESOURCE_FORKS in parts or parts[-1].startswith(APPLE_DOUBLE):
            continue
        if ".." in parts or parts[0].startswith("/"):
            unread[name] = f"has a name that leads out of the archive; {_UNPACK}"
        elif reason := next(filter(None, map(partition_reason, parts[:-1])), ""):
            unread[name] = reason
        elif any(part.startswith(UNFINISHED) for part in parts):
            if format_by_name(name) is not None:
                unread[name] = f"has a name of unfinished files (`.` or `_`); {_UNPACK}"
        elif format_by_name(name) in (Format.CSV, Format.GZIP, Format.ZSTD):
            members[name] = Member(info, _member_problem(info, names[name]))
        elif format_by_name(name) is not None:
            unread[name] = f"cannot be read inside an archive; {_UNPACK}"
        elif reason := unread_reason(name, heads.get(info.filename, b"")):
            unread[name] = f"{reason}; it is in an archive, so {_UNPACK} first"
    if not members and not unread:
        if any(info.flag_bits & _IS_ENCRYPTED for info in infos):
            raise NotReadableError(f"holds encrypted files and no .csv file; {_DECRYPT}")
        raise NotReadableError("holds no .csv file; pass the archive that has the events")
    return Directory(members, unread)


def _is_file(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a file; one without a name is nothing that could be asked for."""
    return bool(PurePosixPath(info.filename).parts) and not info.is_dir()


def _is_unknown(info: zipfile.ZipInfo) -> bool:
    return format_by_name(info.filename) is None


def _head(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as stream:
            return stream.read(HEAD_BYTES)
    except (*MEMBER_ERRORS, OSError):
        return b""


def _name(info: zipfile.ZipInfo) -> str:
    return str(PurePosixPath(info.filename))


def _member_problem(info: zipfile.ZipInfo, same_names: int) -> str:
    if same_names > 1:
        return f"is in the archive {same_names} times; {_UNPACK} and keep the right one"
    if info.flag_bits & _IS_ENCRYPTED:
        return f"is encrypted; {_DECRYPT}"
    return ""


def find_member(archive: Path, name: str) -> zipfile.ZipInfo:
    """Return what the archive says of a file. Raises OSError and NotReadableError."""
    member = read_directory(archive).members.get(name)
    if member is None:
        raise NotReadableError(f"is not in the archive; {_UNPACK}")
    if member.problem:
        raise NotReadableError(member.problem)
    return member.info


@contextmanager
def open_member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """Open the content of a file in an archive. Raises OSError and NotReadableError.

    Reading raises MEMBER_ERRORS.
    """
    info = find_member(archive, name)
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(zipfile.ZipFile(archive))
            stream = stack.enter_context(opened.open(info))
        except NotImplementedError as error:
            method = f"by method {info.compress_type}, which is not read"
            raise NotReadableError(f"is compressed {method}; {_UNPACK}") from error
        except MEMBER_ERRORS as error:
            raise damaged("zip", error) from error
        yield stream
