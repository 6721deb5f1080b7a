"""What the driver knows of landed files before Spark reads their lines.

Auto Loader reads physical lines in parallel, so what concerns a file as a whole is settled before:
whether it is loaded, by which columns, and as which text. The books lie in the stream's checkpoint,
because they hold for its files only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import duckdb
import xxhash

from ingestion import archives
from ingestion.contents import format_of, open_content
from ingestion.csv_records import RecordReader, without_end
from ingestion.file_load import (
    CUT,
    IN_BRONZE,
    WITHOUT_ZONE,
    Judged,
    NotLoadedError,
    Status,
    joined_notes,
    judge_file,
    refusals,
    sample_of,
)
from ingestion.file_sample import is_cut
from ingestion.formats import Format, NotReadableError
from ingestion.landing_files import (
    Identity,
    Layout,
    last_line_of,
    require_short_lines,
    sample_pieces,
)
from project.errors import UserError

BOOKS: Final = "judged_files.jsonl"
"""The file in the checkpoint that keeps them, one JSON object a line."""

_BLOCK_BYTES: Final = 1 << 20
# Opening a file of a volume takes a tenth of a second.
_FILES_AT_A_TIME: Final = 16
WAITING: Final = (
    "landed while the job ran, and the next run loads it; if that does not, the checkpoint has it"
    " as loaded: land it under another name"
)
"""What is said of a pending file that the stream has not met."""
_CHANGED: Final = "changed after it was loaded; land the new data as a new file"


@dataclass(frozen=True)
class JudgedFile:
    """A landed file, or one in an archive, as it was when the driver looked at it."""

    path: str
    """As in `_source_file`."""
    size: int
    """Bytes."""
    modified_ns: int
    """Nanoseconds since 1970."""
    status: Status
    """LOADED if it is to be loaded."""
    message: str = ""
    note: str = ""
    """What is assumed about it."""
    header: str | None = None
    names: tuple[str, ...] = ()
    """The column of each field."""
    is_ragged: bool = False
    text: str = ""
    """The file that has its CSV text: itself, or the one that it was converted to."""
    text_size: int = 0
    is_passed: bool = False
    """Whether the stream has processed it, which it does once."""

    @property
    def is_pending(self) -> bool:
        """Whether the stream is still to load it."""
        return self.status is Status.LOADED and not self.is_passed

    @property
    def layout(self) -> Layout:
        """The layout of a file that is to be loaded."""
        return Layout(self.names, self.header is not None, self.is_ragged)


def read_books(checkpoint: Path) -> dict[str, JudgedFile]:
    """Return the files of earlier runs by path; raises OSError."""
    books = checkpoint / BOOKS
    if not books.exists():
        return {}
    entries = map(json.loads, books.read_text(encoding="ascii").splitlines())
    return {
        entry["path"]: JudgedFile(
            **entry | {"status": Status(entry["status"]), "names": tuple(entry["names"])}
        )
        for entry in entries
    }


def write_books(checkpoint: Path, files: Mapping[str, JudgedFile]) -> None:
    """Keep the files for later runs, all or nothing; raises OSError."""
    unfinished = checkpoint / f"_{BOOKS}"
    lines = (json.dumps(asdict(file)) + "\n" for file in files.values())
    unfinished.write_text("".join(lines), encoding="ascii")
    unfinished.replace(checkpoint / BOOKS)


def judge_new(
    paths: Sequence[Path], known: Mapping[str, JudgedFile], converted: Path
) -> dict[str, JudgedFile]:
    """Return the files by path: as known, or judged now if they are new or have changed.

    Files that are no plain text are converted into the folder `converted`. Raises UserError for a
    file that cannot be read now: a stream processes each file once, so passing it would lose it.
    """

    def judged(path: Path) -> JudgedFile:
        try:
            return _as_known(path, known.get(str(path))) or _judge(database, path, converted)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read: {error.strerror}; grant the job's principal READ VOLUME"
                " on it and run again"
            ) from error

    # To open a database takes longer than to judge a small file.
    with (
        duckdb.connect(config={"threads": 1}) as database,
        ThreadPoolExecutor(_FILES_AT_A_TIME) as pool,
    ):
        return {file.path: file for file in pool.map(judged, paths)}


def _as_known(path: Path, known: JudgedFile | None) -> JudgedFile | None:
    """Return what is known of a file unless it must be judged."""
    if known is None:
        return None
    try:
        identity = Identity.of(path)
    except NotReadableError:
        return None
    if (identity.size, identity.modified_ns) == (known.size, known.modified_ns):
        is_there = known.is_passed or known.text in ("", known.path) or Path(known.text).exists()
        return known if is_there else None
    if not known.is_passed or known.status not in IN_BRONZE:
        return None
    is_same = identity.size == known.size
    return known if is_same else replace(known, status=Status.CHANGED, message=_CHANGED)


def _judge(database: duckdb.DuckDBPyConnection, path: Path, converted: Path) -> JudgedFile:
    try:
        str(path).encode()
        before = Identity.of(path)
    except UnicodeEncodeError:
        return JudgedFile(str(path), 0, 0, Status.REFUSED, "its name is not UTF-8, rename it")
    except NotReadableError as reason:
        return JudgedFile(str(path), 0, 0, Status.REFUSED, str(reason))
    file = JudgedFile(str(path), before.size, before.modified_ns, Status.LOADED)
    try:
        with refusals(path, before), database.cursor() as connection:
            judged, text = _judge_content(connection, path, _text_of(file, converted))
            sample = sample_of(connection, text)
            note = joined_notes(
                {WITHOUT_ZONE: sample.lacks_zone, CUT: is_cut(sample, last_line_of(text))}
            )
            if Identity.of(path) != before:
                raise NotLoadedError(Status.GROWING, "")
    except NotLoadedError as reason:
        if reason.status is Status.GROWING:
            raise UserError(f"{path}: {reason}") from reason
        return replace(file, status=reason.status, message=str(reason))
    has_header = judged.layout.has_header
    return replace(
        file,
        note=note,
        header=without_end(judged.first.content).decode() if has_header else None,
        names=judged.layout.names,
        is_ragged=judged.layout.is_ragged,
        text=str(text),
        text_size=text.stat().st_size,
    )


def _judge_content(
    connection: duckdb.DuckDBPyConnection, path: Path, converted: Path
) -> tuple[Judged, Path]:
    """Return how a file is read, and the file with its text; raises as `judge_file` does."""
    is_plain = archives.split(path) is None and format_of(path) is Format.CSV
    text = path if is_plain else converted

    def look_through() -> Sequence[bytes]:
        if not is_plain:
            _convert(path, converted)
        require_short_lines(text)
        return sample_pieces(text)

    judged = judge_file(connection, path, look_through)
    with text.open("rb") as stream:
        records = RecordReader(stream).records()
        if all(record.content in judged.headers for record in records):
            raise NotLoadedError(Status.EMPTY, "has a header and no line of data yet")
    return judged, text


def _text_of(file: JudgedFile, converted: Path) -> Path:
    """Return where the text of a file is written; another state of the file gets another name."""
    state = f"{file.path}\n{file.size}\n{file.modified_ns}".encode()
    return converted / f"{xxhash.xxh3_128_hexdigest(state)}{Format.CSV}"


def _convert(path: Path, text: Path) -> None:
    """Write the CSV text of a file, in order from its start, as volumes require it."""
    with open_content(path) as (stream, _), text.open("wb") as written:
        while block := stream.read(_BLOCK_BYTES):
            written.write(block)


def passed(files: Mapping[str, JudgedFile], in_bronze: Iterable[str]) -> dict[str, JudgedFile]:
    """Return the files after the stream has run.

    A file that is to be loaded and not `in_bronze` stays pending: file events may come late.
    """
    has_rows = set(in_bronze)
    return {
        path: file if file.is_pending and path not in has_rows else replace(file, is_passed=True)
        for path, file in files.items()
    }


def remove_converted(converted: Path, files: Mapping[str, JudgedFile]) -> None:
    """Remove converted texts that no file waits for; raises OSError."""
    needed = {file.text for file in files.values() if not file.is_passed}
    for text in converted.iterdir():
        if str(text) not in needed:
            text.unlink()


def csv_files(source: Path) -> Iterator[str]:
    """Yield the path of each file below a folder that the stream may read, whatever it holds."""
    for folder, _, names in os.walk(source):
        for name in names:
            if name.lower().endswith(Format.CSV):
                yield os.path.join(folder, name)  # noqa: PTH118
