"""What a file is: each format gives the rows of its CSV text, everything else its remedy."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import bronze
from ingestion.contents import open_content
from ingestion.discovery import discover
from ingestion.file_load import WITHOUT_ZONE, FileReport, Status, load_file
from ingestion.formats import HEAD_BYTES, format_by_name, unread_reason
from ingestion.local_loader import load
from support.dirty_files import HEADER, Lines
from support.event_files import csv_text, every_format, text_columns, write_parquet, write_zip, zstd

EVENTS: Final = csv_text(Lines())
TYPED: Final = {
    "event_time": pa.array(
        [datetime(2019, 10, 1, 0, 0, 5, tzinfo=UTC), datetime(2019, 10, 2, tzinfo=UTC), None],
        pa.timestamp("ns", "Europe/Berlin"),
    ),
    "event_type": pa.array(["view", "cart", "purchase"]).dictionary_encode(),
    "product_id": pa.array([1, 2, 3], pa.int32()),
    "category_id": pa.array([2053013555631882655] * 3, pa.int64()),
    "category_code": pa.array(['a "quoted", one', "two\nlines", None]),
    "brand": pa.array(["", "x\0y", " é "]),
    "price": pa.array([35.79, 1e20, float("nan")], pa.float64()),
    "user_id": pa.array([1, None, 3], pa.decimal128(38, 0)),
    "user_session": pa.array([b"s1", b"s2", None], pa.binary()),
}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as memory:
        bronze.create_tables(memory)
        yield memory


def rows_of(
    connection: duckdb.DuckDBPyConnection, path: Path, *, tolerant: bool = False
) -> tuple[FileReport, list[tuple[Any, ...]]]:
    for table in (bronze.EVENTS, bronze.LEDGER):
        connection.execute(f"delete from {table}")
    report = load_file(connection, path, tolerant=tolerant)
    sql = f"select columns(* exclude (_ingested_at, _source_file))::varchar from {bronze.EVENTS}"
    return report, connection.execute(f"{sql} order by all").fetchall()


def refusal(folder: Path, name: str, content: bytes) -> str:
    """Load one file, and return why it was refused; nothing of it may be in the database."""
    path = folder.resolve() / name
    path.write_bytes(content)
    with duckdb.connect() as memory:
        bronze.create_tables(memory)
        report = load_file(memory, path)
        assert memory.execute(f"select count(*) from {bronze.EVENTS}").fetchall() == [(0,)]
        assert memory.execute(f"select count(*) from {bronze.LEDGER}").fetchall() == [(0,)]
    assert report.status is Status.REFUSED, report
    assert "\n" not in report.message
    return report.message


def write_formats(folder: Path, content: bytes) -> list[Path]:
    """Write the content in every format; return the paths to load."""
    for name, stored in every_format(content).items():
        (folder / name).write_bytes(stored)
    archive = write_zip(
        folder / "archive.zip", {"in/a.csv": content, "b.CSV.GZ": gzip.compress(content)}
    )
    parquet = write_parquet(folder / "text.parquet", text_columns(content))
    members = [archive / "in/a.csv", archive / "b.CSV.GZ"]
    return [*(folder / name for name in every_format(content)), *members, parquet]


@pytest.mark.parametrize("tolerant", [False, True])
def test_every_format_gives_the_rows_of_its_csv_text(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, tolerant: bool
) -> None:
    folder = tmp_path.resolve() / "it's [a] *folder*?" / "month=10"
    folder.mkdir(parents=True)
    first, *others = write_formats(folder, EVENTS)
    _, expected = rows_of(connection, first, tolerant=tolerant)
    assert len(expected) == 3
    for path in others:
        report, rows = rows_of(connection, path, tolerant=tolerant)
        assert (report.status, report.rows, report.message) == (Status.LOADED, 3, ""), report
        assert rows == expected, path
        assert connection.execute(f"select path from {bronze.LEDGER}").fetchall() == [(str(path),)]


@pytest.mark.parametrize(
    "name",
    [
        *("a\\[1]", "a\\*", "\\?\\b", "a\\b", "a\\b [1]/c", "a{b,c}", "[!a]", "a]", "**/a"),
        *("a\nb", "a\rb", "a'b", 'a"b', "a%20b", "~", " a ", "a#b;c", "a\u2028b", "n" * 240),
        "s3:/a",
    ],
)
def test_a_file_may_have_any_name(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    path = tmp_path.resolve() / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(EVENTS)
    parquet = write_parquet(path.with_suffix(".parquet"), text_columns(EVENTS))
    _, expected = rows_of(connection, path)
    report, rows = rows_of(connection, parquet)
    assert (report.status, report.rows, report.message) == (Status.LOADED, 3, "")
    assert rows == expected


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(content=st.binary(max_size=40), position=st.integers(0, 500), header=st.booleans())
def test_damaged_content_gives_the_same_rows_in_every_container(
    content: bytes, position: int, header: bool
) -> None:
    body = EVENTS if header else EVENTS.partition(b"\n")[2]
    spoiled = body[:position] + content + body[position + len(content) // 2 :]
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as memory:
        folder = Path(name).resolve()
        bronze.create_tables(memory)
        (folder / "a.csv").write_bytes(spoiled)
        (folder / "a.csv.zst").write_bytes(zstd(spoiled))
        archive = write_zip(folder / "a.zip", {"a.csv": spoiled})
        report, expected = rows_of(memory, folder / "a.csv")
        for path in (folder / "a.csv.zst", archive / "a.csv"):
            for tolerant in (False, True):
                found, rows = rows_of(memory, path, tolerant=tolerant)
                assert (found.status, rows) == (report.status, expected), path


def test_typed_columns_of_parquet_keep_their_values(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = write_parquet(tmp_path.resolve() / "typed.parquet", TYPED)
    report, rows = rows_of(connection, path)
    assert (report.status, report.rows) == (Status.LOADED, 3)
    assert rows_of(connection, path, tolerant=True)[1] == rows
    sql = f"select * exclude (_ingested_at, _source_file) from {bronze.EVENTS}"
    first = [
        *(datetime(2019, 10, 1, 0, 0, 5), "view", 1, 2053013555631882655, 'a "quoted", one'),
        *(None, 35.79, 1, "s1", None),
    ]
    assert connection.execute(f"{sql} where product_id = 1").fetchall() == [tuple(first)]
    # A NUL is refused in every format.
    assert connection.execute(f"{sql} where product_id is null").fetchall()[0][-1] is not None
    third = connection.execute(f"{sql} where product_id = 3").fetchall()[0]
    assert third[:2] == (None, "purchase")
    assert third[5] == " é "


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_zoned_timestamp_is_read_in_utc(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, unit: str
) -> None:
    at = datetime(2019, 10, 27, 0, 30, tzinfo=UTC)
    times = pa.array([at] * 3, pa.timestamp(unit, "America/New_York"))
    path = write_parquet(tmp_path.resolve() / "t.parquet", TYPED | {"event_time": times})
    rows_of(connection, path)
    found = connection.execute(f"select distinct event_time from {bronze.EVENTS}").fetchall()
    assert (at.replace(tzinfo=None),) in found


def test_columns_of_a_data_frame_are_judged_by_the_contract(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    # A column of integers becomes one of doubles where a value is missing.
    plain = TYPED | {
        "event_time": pa.array([datetime(2019, 10, 1, 5, 0, 0, 250_000)] * 3, pa.timestamp("ns")),
        "user_id": pa.array([541312140.0, None, 3.0]),
        "user_session": pa.array(["a", "b", "c"]),
    }
    report, _ = rows_of(connection, write_parquet(tmp_path.resolve() / "plain.parquet", plain))
    assert (report.status, report.note) == (Status.LOADED, WITHOUT_ZONE)
    sql = f"select event_time, user_id from {bronze.EVENTS} where product_id = 1"
    at = datetime(2019, 10, 1, 5, 0, 0, 250_000)
    assert connection.execute(sql).fetchall() == [(at, 541312140)]
    ids = plain | {"category_id": pa.array([2.053013555631883e18] * 3)}
    content = write_parquet(tmp_path / "ids.parquet", ids).read_bytes()
    assert "category_id" in refusal(tmp_path, "ids.parquet", content)


def test_fractions_of_parquet_reach_the_text(tmp_path: Path) -> None:
    """Nanoseconds too, which are refused as those of CSV files are: none are cut off."""
    at = datetime(2019, 10, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    nanoseconds = 1_569_888_000_250_000_007
    path = write_parquet(
        tmp_path / "t.parquet",
        {
            "zoned": pa.array([at], pa.timestamp("ns", "UTC")),
            "finer": pa.array([nanoseconds], pa.timestamp("ns", "UTC")),
            "finest": pa.array([nanoseconds], pa.timestamp("ns")),
            "plain": pa.array([at.replace(tzinfo=None)], pa.timestamp("us")),
            "day": pa.array([at.date()]),
            "a,b": pa.array([1.0]),
        },
    )
    with open_content(path) as (stream, position):
        assert stream.read().decode() == (
            'zoned,finer,finest,plain,day,"a,b"\n'
            "2019-10-01 00:00:00.250000 UTC,2019-10-01 00:00:00.250000007 UTC,"
            "2019-10-01 00:00:00.250000007,2019-10-01 00:00:00.250000,2019-10-01,1.0\n"
        )
        assert position.tell() == path.stat().st_size


def test_each_file_of_an_archive_is_loaded_once(tmp_path: Path) -> None:
    new, landing = Lines(), tmp_path.resolve() / "landing"
    landing.mkdir()
    october, november = csv_text(new), csv_text(new)
    archive = write_zip(landing / "archive.zip", {"2019-Oct.csv": october})
    database = tmp_path / "shop.duckdb"

    def statuses() -> dict[str, Status]:
        return {str(f.path.relative_to(landing)): f.status for f in load(landing, database).files}

    assert statuses() == {"archive.zip/2019-Oct.csv": Status.LOADED}
    # Packed again, with another compression and a second file.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("2019-Nov.csv", november)
        packed.writestr("2019-Oct.csv", october)
    assert statuses() == {
        "archive.zip/2019-Nov.csv": Status.LOADED,
        "archive.zip/2019-Oct.csv": Status.ALREADY_LOADED,
    }
    write_zip(archive, {"2019-Nov.csv": november + new.line().encode()})
    assert statuses() == {"archive.zip/2019-Nov.csv": Status.CHANGED}
    with duckdb.connect(str(database), read_only=True) as connection:
        sql = f"select _source_file, count(*) from {bronze.EVENTS} group by all order by all"
        assert connection.execute(sql).fetchall() == [
            (f"{archive}/2019-Nov.csv", 3),
            (f"{archive}/2019-Oct.csv", 3),
        ]


def set_flag(archive: Path, name: str, offset: int, value: int) -> None:
    """Change a field of two bytes in both headers of a file in an archive."""
    content = bytearray(archive.read_bytes())
    for signature, shift in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature)
        assert name.encode() in content[at : at + 80]
        struct.pack_into("<H", content, at + shift + offset, value)
    archive.write_bytes(content)


def test_files_of_an_archive_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    new, landing = Lines(), tmp_path.resolve()
    for name in ("encrypted", "method"):
        write_zip(landing / f"{name}.zip", {"a.csv": csv_text(new), "good.csv": csv_text(new)})
    set_flag(landing / "encrypted.zip", "a.csv", 0, 1)
    set_flag(landing / "method.zip", "a.csv", 2, 9)
    set_flag(write_zip(landing / "locked.zip", {"a.dat": csv_text(new)}), "a.dat", 0, 1)
    damaged = write_zip(landing / "damaged.zip", {"a.csv": csv_text(new), "good.csv": b"x"})
    content = bytearray(damaged.read_bytes())
    content[60] ^= 0xFF
    damaged.write_bytes(content)
    with zipfile.ZipFile(landing / "names.zip", "w") as archive:
        for name in ("../out.csv", "/etc/out.csv", "__MACOSX/._a.csv", "good.csv"):
            archive.writestr(name, csv_text(new))
        with pytest.warns(UserWarning, match="Duplicate"):
            for name in ("twice.csv", "twice.csv"):
                archive.writestr(name, csv_text(new))
        for name in ("a.tsv", "b.csv.bz2", "_c.csv", "d.zip", "e.parquet", "."):
            archive.writestr(name, b"x")
    (landing / "cut.zip").write_bytes((landing / "names.zip").read_bytes()[:-40])
    write_zip(landing / "empty.zip", {})
    write_zip(landing / "none.zip", {"notes.md": b"# no"})

    report = load(landing, tmp_path / "shop.duckdb")
    outcome = {
        str(f.path.relative_to(landing)): f"{f.status} {f.message}".strip() for f in report.files
    }
    skipped = {
        str(other.path).removeprefix(f"{landing}/"): other.reason for other in report.skipped
    }
    assert {name for name, text in outcome.items() if text == "loaded"} == {
        *("encrypted.zip/good.csv", "method.zip/good.csv", "names.zip/good.csv"),
    }
    for name, part in {
        "encrypted.zip/a.csv": "refused is encrypted; unpack the archive with its password",
        "locked.zip": "refused holds encrypted files and no .csv file; unpack the archive with its",
        "method.zip/a.csv": "refused is compressed by method 9, which is not read; unpack",
        "damaged.zip/a.csv": "refused corrupt or truncated zip, copy it again",
        "names.zip/twice.csv": "refused is in the archive 2 times",
        "cut.zip": "refused corrupt or truncated zip, copy it again: File is not a zip file",
        "empty.zip": "refused holds no .csv file",
        "none.zip": "refused holds no .csv file",
    }.items():
        assert part in outcome[name], outcome
    for name, part in {
        "names.zip/../out.csv": "leads out of the archive",
        "names.zip/etc/out.csv": "leads out of the archive",
        "names.zip/a.tsv": "separated by tabs",
        "names.zip/b.csv.bz2": "bunzip2",
        "names.zip/_c.csv": "name of unfinished files",
        "names.zip/d.zip": "unpack the archive",
        "names.zip/e.parquet": "unpack the archive",
    }.items():
        assert part in skipped.pop(name), name
    assert skipped == {}


def readable(value: object) -> str:
    """Return a parameter for the name of a test; a gzip's bytes contain the time."""
    return value if isinstance(value, str) else "content"


# The header of a frame with a window of 2 GB, and of its one block, which is not compressed.
WIDE_ZSTD: Final = (
    b"\x28\xb5\x2f\xfd\x00\xa8" + (len(EVENTS) << 3 | 1).to_bytes(3, "little") + EVENTS
)
# A frame that names its dictionary, and its one block.
NAMED_DICTIONARY: Final = (
    b"\x28\xb5\x2f\xfd\x21\x07\xc8" + (200 << 3 | 1).to_bytes(3, "little") + EVENTS[:200]
)
UTF16: Final = EVENTS.decode().encode("utf-16")


def test_a_text_of_events_that_a_spreadsheet_saved_is_named(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"events.csv": EVENTS})
    tabs = EVENTS.decode().replace(",", "\t")
    for number, encoding in enumerate(("utf-16", "utf-16-le", "utf-16-be", "utf-32")):
        (tmp_path / f"{number}.txt").write_bytes(tabs.encode(encoding))
        (tmp_path / f"note {number}.txt").write_bytes(("Remember: " * 9).encode(encoding))
    left_out = {other.path.name: other.reason for other in discover(tmp_path).unread}
    assert left_out.keys() == {"0.txt", "1.txt", "2.txt", "3.txt"}
    assert all("save it as UTF-8" in reason for reason in left_out.values())


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        (
            "a.csv",
            gzip.compress(EVENTS),
            "a gzip file, not text; rename it so that it ends in .csv.gz",
        ),
        ("a.csv", zstd(EVENTS), "a zstd file, not text; rename it so that it ends in .csv.zst"),
        ("a.csv", b"PK\x03\x04" + bytes(60), "a zip archive, not text"),
        ("a.csv", b"PAR1" + bytes(60), "a Parquet file, not text"),
        ("a.csv", bz2.compress(EVENTS), "bunzip2"),
        ("a.csv", lzma.compress(EVENTS), "unxz"),
        ("a.csv", UTF16, "UTF-16 text; save it as UTF-8"),
        ("a.csv", UTF16[2:], "UTF-16 text; save it as UTF-8"),
        ("a.csv", EVENTS.decode().encode("utf-16-be"), "UTF-16 text; save it as UTF-8"),
        ("a.csv", EVENTS.decode().encode("utf-32"), "UTF-32 text; save it as UTF-8"),
        ("a.csv", EVENTS.replace(b",", b";"), "is separated by `;`; write it with commas"),
        ("a.csv", EVENTS.replace(b",", b"\t"), "is separated by tabs; write it with commas"),
        ("a.csv", EVENTS.replace(b",", b"|"), "is separated by `|`; write it with commas"),
        ("a.csv", EVENTS.partition(b"\n")[2].replace(b",", b";"), "is separated by `;`"),
        ("a.csv", b'\xef\xbb\xbf"' + HEADER.replace(",", '";"').encode() + b'"\n', "by `;`"),
        ("a.csv", b'{"event_time": 1}\n', "is JSON"),
        ("a.csv", b"-----BEGIN PGP MESSAGE-----\n\nhQ", "is encrypted; decrypt it: gpg -d"),
        ("a.csv", b"age-encryption.org/v1\n-> X", "is encrypted; decrypt it: age -d"),
        ("a.csv.gz", b"Salted__" + bytes(9), "is encrypted; decrypt it: openssl enc -d"),
        ("a.csv", b"{\\rtf1\\ansi " + EVENTS, "is a document (RTF)"),
        ("a.csv", b"\n<!DOCTYPE html><html>", "download it again"),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\noid x\n", "git lfs pull"),
        ("a.csv", b"SQLite format 3\0" + bytes(80), "is a database"),
        ("a.csv", b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "is a spreadsheet"),
        ("a.csv.gz", EVENTS, "is text, not a gzip file; rename it so that it ends in .csv"),
        ("a.csv.gz", gzip.compress(UTF16), "what it holds is UTF-16 text"),
        ("a.csv.gz", gzip.compress(gzip.compress(EVENTS)), "what it holds is a gzip file"),
        ("a.csv.gz", gzip.compress(EVENTS.replace(b",", b";")), "is separated by `;`"),
        ("a.csv.gz", gzip.compress(bytes(257) + b"ustar" + bytes(300)), "is a tar archive"),
        ("a.csv.gz", gzip.compress(EVENTS)[:-5], "corrupt or truncated gzip, copy it again"),
        ("a.csv.zst", EVENTS, "is text, not a zstd file"),
        ("a.csv.zst", gzip.compress(EVENTS), "is a gzip file, not a zstd file"),
        ("a.csv.zst", zstd(EVENTS)[:-5], "corrupt or truncated zstd, copy it again"),
        ("a.csv.zst", zstd(EVENTS) + b"garbage", "corrupt or truncated zstd, copy it again"),
        ("a.csv.zst", zstd(UTF16), "what it holds is UTF-16 text"),
        ("a.csv.zst", WIDE_ZSTD, "a window of more than 128 MB; decompress it with `zstd -d --lon"),
        ("a.csv.zst", NAMED_DICTIONARY, "a dictionary; decompress it with `zstd -d -D` and that"),
        ("a.csv", b"/annex/objects/SHA256E-s99--0a.csv\n", "fetch it: git annex get"),
        ("a.zip", EVENTS, "is text, not a zip archive"),
        ("a.zip", b"garbage" * 9, "is not a zip archive"),
        ("a.parquet", EVENTS, "is text, not a Parquet file"),
        ("a.parquet", b"PAR1" + bytes(60), "corrupt or truncated Parquet, copy it again"),
        ("a.parquet", b"PARE" + bytes(60), "is an encrypted Parquet file"),
    ],
    ids=readable,
)
def test_content_of_another_kind_is_refused_with_the_remedy(
    tmp_path: Path, name: str, content: bytes, part: str
) -> None:
    assert part in refusal(tmp_path, name, content)


def test_parquet_that_is_cut_or_has_other_columns_is_refused(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path / "w.parquet", text_columns(EVENTS)).read_bytes()
    assert "corrupt or truncated Parquet" in refusal(tmp_path, "cut.parquet", whole[:-9])
    other = write_parquet(tmp_path / "o.parquet", {"a": pa.array([1])}).read_bytes()
    refusal(tmp_path, "other.parquet", other)
    none = write_parquet(tmp_path / "n.parquet", {}).read_bytes()
    assert "has no columns; write the events" in refusal(tmp_path, "none.parquet", none)
    binary = text_columns(EVENTS) | {"brand": pa.array([b"\xff"] * 3, pa.binary())}
    content = write_parquet(tmp_path / "b.parquet", binary).read_bytes()
    assert "invalid UTF8" in refusal(tmp_path, "b.parquet", content)


def test_parquet_that_is_beyond_the_reader_is_not_called_damage(tmp_path: Path) -> None:
    rows = text_columns(EVENTS) | {"price": pa.array([Decimal("2.5")] * 3, pa.decimal128(38, 2))}
    split = {"price": "BYTE_STREAM_SPLIT"}
    pq.write_table(pa.table(rows), tmp_path / "s", use_dictionary=False, column_encoding=split)
    message = refusal(tmp_path, "a.parquet", (tmp_path / "s").read_bytes())
    assert "write it again with the default encodings and compression: BYTE_STREAM" in message
    assert "copy it again" not in message


@pytest.mark.parametrize("name", ["encrypted", "not supported", "UTF8"])
def test_damage_of_parquet_is_named_whatever_its_path(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table(text_columns(EVENTS)), tmp_path / "whole", compression="zstd")
    content = (tmp_path / "whole").read_bytes().replace(zstd(b"")[:4], bytes(4))
    message = refusal(tmp_path, f"{name}.parquet", content)
    assert f'copy it again: Invalid Input Error: Failed to read file "{tmp_path}' in message


def test_parquet_with_encrypted_columns_is_not_called_damage(tmp_path: Path) -> None:
    class Keys(encryption.KmsClient):  # type: ignore[misc]
        def wrap_key(self, key: bytes, master_key_identifier: str) -> bytes:
            return base64.b64encode(key)

    factory = encryption.CryptoFactory(lambda _: Keys())
    wanted = encryption.EncryptionConfiguration("a", column_keys={"b": ["price"]})
    rows = pa.table(text_columns(EVENTS))
    for plaintext_footer in (False, True):
        wanted.plaintext_footer = plaintext_footer
        with pq.ParquetWriter(
            tmp_path / "e",
            rows.schema,
            encryption_properties=factory.file_encryption_properties(
                encryption.KmsConnectionConfig(), wanted
            ),
        ) as writer:
            writer.write_table(rows)
        message = refusal(tmp_path, "a.parquet", (tmp_path / "e").read_bytes())
        assert message == "is an encrypted Parquet file; write it without encryption"


@pytest.mark.parametrize("column", ["brand", "user_session", "note\n"])
@pytest.mark.parametrize("kind", [pa.string(), pa.binary()])
def test_text_of_parquet_that_is_not_utf8_is_named(
    tmp_path: Path, column: str, kind: pa.DataType
) -> None:
    values = pa.array([*[b"ab"] * 30_000, b"tel\xe9 " * 9], pa.binary())
    rows = text_columns(csv_text(Lines(), len(values)))
    rows[column] = pa.Array.from_buffers(kind, len(values), values.buffers())
    path = tmp_path.resolve() / "a.parquet"
    pq.write_table(pa.table(rows), path)
    if kind == pa.binary() and column not in HEADER:
        # Such bytes are read as digits.
        with open_content(path) as (stream, _):
            assert b",74656CE920" in stream.read()
        return
    message = refusal(tmp_path, "a.parquet", path.read_bytes())
    place = f"{(b'tel' + bytes([0xE9]) + b' ') * 4!r} of {column!r} in row 30,001"
    assert f"(invalid UTF8: {place}); write that column as text in UTF-8" in message
    assert message.isprintable()


def test_text_inside_lists_that_is_not_utf8_is_not_called_damage(tmp_path: Path) -> None:
    values = pa.array([b"a", b"\xe9", b"b"], pa.binary())
    lists = pa.ListArray.from_arrays(
        [0, 1, 2, 3], pa.Array.from_buffers(pa.string(), 3, values.buffers())
    )
    content = write_parquet(tmp_path / "a.parquet", text_columns(EVENTS) | {"tags": lists})
    message = refusal(tmp_path, "b.parquet", content.read_bytes())
    assert "invalid UTF8: value" in message
    assert "write that column as text in UTF-8" in message


@pytest.mark.parametrize("values", [[["a", "b"]] * 3, [{"name": "a"}] * 3])
def test_event_columns_of_lists_and_structures_are_refused(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, values: list[Any]
) -> None:
    path = tmp_path.resolve() / "a.parquet"
    rows = text_columns(EVENTS)
    write_parquet(path, rows | {"user_session": pa.array(values)})
    message = refusal(tmp_path, "b.parquet", path.read_bytes())
    assert "user_session has several values in a row (" in message
    assert "; write one as text" in message
    write_parquet(path, rows | {"tags": pa.array(values)})
    assert rows_of(connection, path)[0].rows == 3


def test_values_that_are_no_text_are_not_called_damage(tmp_path: Path) -> None:
    rows = text_columns(EVENTS)
    session = rows | {"user_session": pa.array([bytes(range(120, 136))] * 3, pa.binary(16))}
    late = rows | {"event_time": pa.array([10**15] * 3, pa.int64()).cast(pa.timestamp("s"))}
    for columns in (session, late):
        content = write_parquet(tmp_path / "a.parquet", columns).read_bytes()
        message = refusal(tmp_path, "a.parquet", content)
        assert "has a value that is no text, number or time" in message
        assert "copy it again" not in message


def test_a_line_end_in_the_name_of_a_column_is_a_blank(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = {{"brand": "brand\n"}.get(name, name): v for name, v in text_columns(EVENTS).items()}
    path = write_parquet(tmp_path.resolve() / "a.parquet", rows | {"a\r\nb": pa.array([1, 2, 3])})
    assert rows_of(connection, path)[0].status is Status.LOADED
    found = connection.execute(f"select count(brand), min(_rescued_data) from {bronze.EVENTS}")
    assert found.fetchall() == [(3, '{"a  b":"1"}')]


def test_a_zstd_file_may_begin_with_a_frame_to_skip(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    skipped = b"\x52\x2a\x4d\x18\x04\0\0\0size"
    (tmp_path / "a.csv.zst").write_bytes(skipped + zstd(EVENTS))
    for tolerant in (False, True):
        report, _ = rows_of(connection, tmp_path.resolve() / "a.csv.zst", tolerant=tolerant)
        assert (report.status, report.rows, report.message) == (Status.LOADED, 3, "")


def test_content_that_begins_like_markup_is_none(tmp_path: Path) -> None:
    for start in (b"<<<<<<< HEAD\n", b"< \n", b"<1\n"):
        assert "web page" not in refusal(tmp_path, "a.csv", start + EVENTS)


@pytest.mark.parametrize(
    "name", ["PARENT_ID", "ORCHARD", "BZhands", "FEA1", "ARROW1", "LZIP", "PAR1", "RUBBER__DUCK"]
)
def test_a_header_may_begin_like_the_file_of_another_format(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    header, *rows = EVENTS.decode().splitlines()
    content = "\n".join([f"{name},{header}", *[f"7,{row}" for row in rows], ""]).encode()
    for suffix, stored in (("csv", content), ("csv.gz", gzip.compress(content))):
        (tmp_path / f"a.{suffix}").write_bytes(stored)
        report, _ = rows_of(connection, tmp_path.resolve() / f"a.{suffix}")
        assert (report.status, report.rows) == (Status.LOADED, 3), report
    assert "holds events, but its name does not say so" in unread_reason("a.txt", content)


def test_a_word_in_the_place_of_an_archives_signature_is_a_word(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    header, *rows = EVENTS.decode().splitlines()
    start = f"{header},note\n{rows[0]},"
    content = f"{start}{'x' * (257 - len(start) - 1)}mustard\n{rows[1]},\n".encode()
    assert content.find(b"ustar") == 257
    (tmp_path / "a.csv").write_bytes(content)
    report, _ = rows_of(connection, tmp_path.resolve() / "a.csv")
    assert (report.status, report.rows) == (Status.LOADED, 2), report


def test_bytes_of_parquet_are_text_or_hexadecimal(tmp_path: Path) -> None:
    columns = {"brand": pa.array([b"\xc3\xa9", b'a"b'], pa.binary())} | {
        "photo": pa.array([b"\xff\x00", "a,\u00e9".encode()], pa.binary())
    }
    with open_content(write_parquet(tmp_path / "b.parquet", columns)) as (stream, _):
        assert stream.read().decode() == 'brand,photo\n\u00e9,FF00\n"a""b","a,\u00e9"\n'


def test_floats_that_have_lost_digits_are_no_integers(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = text_columns(EVENTS)
    small = rows | {
        "user_id": pa.array([1, 2, 2**24 - 1], pa.float32()),
        "price": pa.array([35.79, 0.1, 2.0**25], pa.float32()),
    }
    path = write_parquet(tmp_path.resolve() / "small.parquet", small)
    assert rows_of(connection, path)[0].status is Status.LOADED
    found = connection.execute(f"select user_id, price from {bronze.EVENTS} order by all")
    assert found.fetchall() == [(1, 35.79), (2, 0.1), (2**24 - 1, 2.0**25)]
    for first in (2.0**24, 541312140.0, -541312140.0):
        large = rows | {"user_id": pa.array([first] * 3, pa.float32())}
        content = write_parquet(tmp_path / "large.parquet", large).read_bytes()
        message = refusal(tmp_path, "large.parquet", content)
        assert "user_id" in message
        assert "copy it again" not in message
    for column in ("user_id", "price"):
        half = rows | {column: pa.array(np.array([5, 6, 4100], np.float16))}
        content = write_parquet(tmp_path / "half.parquet", half).read_bytes()
        message = refusal(tmp_path, "half.parquet", content)
        assert f"{column} is a column of 16-bit floats" in message
    half = rows | {"note": pa.array(np.array([5, 6, 4100], np.float16))}
    path = write_parquet(tmp_path.resolve() / "note.parquet", half)
    assert rows_of(connection, path)[0].status is Status.LOADED
    strange = {"a": pa.array([float("nan"), float("-inf"), 0.5], pa.float32())}
    with open_content(write_parquet(tmp_path / "s.parquet", strange)) as (stream, _):
        assert stream.read().decode() == "a\nnan\n-inf\n0.5\n"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst", "a.zip", "a.parquet"])
def test_a_file_without_a_byte_is_empty_in_every_format(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).touch()
    assert load_file(connection, tmp_path.resolve() / name).status is Status.EMPTY


def test_several_zstd_frames_are_one_file(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    head, rest = EVENTS[:200], EVENTS[200:]
    (tmp_path / "a.csv.zst").write_bytes(zstd(head) + zstd(rest))
    for tolerant in (False, True):
        report, _ = rows_of(connection, tmp_path.resolve() / "a.csv.zst", tolerant=tolerant)
        assert (report.status, report.rows, report.message) == (Status.LOADED, 3, "")


def test_a_large_archive_whose_scan_stops_early_is_read_on(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    # More than a pipe holds, so that a reader who leaves would block the writer.
    new = Lines()
    rows = [new.line(brand='"a,b"'), new.line(brand='a"b'), *[new.line() for _ in range(5_000)]]
    content = "\n".join([HEADER, *rows]).encode()
    archive = write_zip(tmp_path.resolve() / "a.zip", {"a.csv": content})
    report, _ = rows_of(connection, archive / "a.csv")
    assert (report.rows, report.rows_with_rescued_data) == (5_002, 1)


HEAD: Final = EVENTS
COMPANIONS: Final = (
    *("md5", "sha1", "sha256", "sha512", "crc", "dvc", "lnk", "torrent", "asc", "sig", "url"),
)
NOTHING: Final = b"x"
# The end of a name, and what is above the header.
ABOVE: Final = (
    (".txt", b"Export of October\n\n"),
    (".txt", b"\xef\xbb\xbfsep=,\r\n"),
    ("", b"# made by a query\n" * 10),
    (".csv.txt", b"sep=,\n"),
)
JSON_LINES: Final = b"".join(
    json.dumps(dict(zip(HEADER.split(","), line.split(","), strict=True))).encode() + b"\n"
    for line in HEAD.decode().splitlines()[1:]
)


@pytest.mark.parametrize(
    ("name", "head", "part"),
    [
        ("a.csv.bz2", NOTHING, "bunzip2"),
        ("a.csv.xz", NOTHING, "unxz"),
        ("a.tsv", NOTHING, "separated by tabs"),
        ("a.tsv.gz", NOTHING, "separated by tabs"),
        ("a.csv.1", HEAD, "ends in .csv"),
        ("a.csv.1", NOTHING, "ends in .csv"),
        ("a.csv~", NOTHING, "ends in .csv"),
        ("a.csv (1)", NOTHING, "ends in .csv"),
        ("a.csv.bak", HEAD, "ends in .csv"),
        ("a.csv.txt", HEAD, "ends in .csv"),
        ("a.parquet.1", NOTHING, "ends in .parquet"),
        ("a.txt", HEAD, "ends in .csv"),
        ("a", HEAD, "ends in .csv"),
        ("a.txt", HEAD.replace(b",", b"\t"), "separated by tabs"),
        *[(f"a{end}", above + HEAD, "remove what is above") for end, above in ABOVE],
        ("a.txt", b"Title\n" + HEAD.partition(b"\n")[2], "remove what is above"),
        ("a.txt", b"sep=;\n" + HEAD.replace(b",", b";"), "remove what is above"),
        *[
            ("a.out", HEAD.replace(b",", separator), "is separated by other characters; write it")
            for separator in (b"~", b"::", b"\x02", b"\x1f", b"   ", b'" ~ "')
        ],
        ("a.md", b"The columns:\n" + HEAD + b"Each line is an event.\n", ""),
        ("a.py", b"import csv\n" + HEADER.encode(), ""),
        ("a.txt", b"\n" * HEAD_BYTES, ""),
        *[(f"a{end}", JSON_LINES, "is JSON; export the events") for end in ("", ".txt", ".log")],
        ("a", b"[" + JSON_LINES.replace(b"}\n", b"},\n") + b"]", "is JSON; export the events"),
        ("a.ipynb", b'{"source": ["event_time, price, brand"], "price": 1}', ""),
        ("a.gz", gzip.compress(HEAD), "ends in .csv.gz"),
        ("a.csv.gzip", gzip.compress(HEAD), "ends in .csv.gz"),
        ("a.zst", zstd(HEAD), "ends in .csv.zst"),
        ("a.pq", b"PAR1", "ends in .parquet"),
        ("a", b"PK\x03\x04", "ends in .zip"),
        ("a.tar.gz", gzip.compress(HEAD), "tar archive"),
        ("a.tgz", NOTHING, "tar archive"),
        ("a.7z", NOTHING, "7z x"),
        ("a.rar", NOTHING, "RAR"),
        ("a.xlsx", NOTHING, "spreadsheet"),
        ("a.XLS", NOTHING, "spreadsheet"),
        ("a.json", b"{}", "JSON"),
        ("a.jsonl.gz", NOTHING, "JSON"),
        ("a.avro", NOTHING, "Avro"),
        ("a.orc", NOTHING, "ORC"),
        ("a.feather", NOTHING, "Arrow"),
        ("a.sqlite", NOTHING, "database"),
        ("a.pkl", NOTHING, "pickle"),
        ("a.csv.gpg", NOTHING, "decrypt it: gpg -d"),
        ("a.csv.gz.PGP", NOTHING, "decrypt it: gpg -d"),
        ("a.csv.age", NOTHING, "decrypt it: age -d"),
        ("a.csv.gz.part1", gzip.compress(HEAD), "one part of a split file; join"),
        ("a.csv.001", HEAD, "one part of a split file; join"),
        ("a.zip.002", NOTHING, "one part of a split file; join"),
        ("a.7z.001", NOTHING, "one part of a split file; join"),
        ("a.z01", b"PK\x07\x08", "one part of a split file; join"),
        ("a.csv.ab", HEAD, "one part of a split file; join"),
        ("a.zip.1", NOTHING, "ends in .zip"),
        ("a.csv.part", HEAD, "looks unfinished"),
        ("a.zip.crdownload", NOTHING, "looks unfinished"),
        *[
            (f"a.csv{end}", HEAD, "looks unfinished")
            for end in ("_.gstmp", "._COPYING_", ".inprogress", ".crswap", ".6eF3bC9d", ".xltd")
        ],
        ("a.csv.20191001", HEAD, "holds events, but its name does not say so; rename it so that"),
        ("a.6ef3bc9d", HEAD, "holds events, but its name does not say so; rename it so that"),
        ("Unconfirmed 7.crdownload", b"PK\x03\x04", "looks unfinished"),
        ("readme.md", b"# Notes", ""),
        ("LICENSE", b"MIT", ""),
        ("paper.pdf", b"%PDF", ""),
        ("page.html", b"<html>", ""),
        ("script.py", b"import csv", ""),
        ("notes.tmp", b"x", ""),
        *[(f"a.csv.{suffix}", b"<html>", "") for suffix in COMPANIONS],
        ("Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ""),
        ("a.parquet.gz", gzip.compress(b"PAR1"), "compressed once more; decompress it"),
        ("a.zip.zst", zstd(b"PK"), "compressed once more; decompress it"),
        ("a.csv.lz", NOTHING, "lunzip"),
        ("a.bin", b"LZIP\x01", "lunzip"),
        ("a.csv.zlib", NOTHING, "compressed with zlib"),
        ("a.csv.enc", NOTHING, "decrypt it"),
        ("a.npz", b"PK\x03\x04", "NumPy"),
        ("a.mat", NOTHING, "MATLAB"),
        ("a.por", NOTHING, "statistics program"),
        ("a", b"$FL2@(#) SPSS", "statistics program"),
        ("a.bson", NOTHING, "binary records"),
        ("a.pbix", b"PK\x03\x04", "report with its data"),
        ("a.dbf", NOTHING, "database"),
        ("a.csv.!ut", NOTHING, "looks unfinished"),
        *[(f"a.csv{end}", b"[x]", "") for end in (":Zone.Identifier", ".sha256sum", ".par2")],
        *[(f"a.{end}", b"PK\x03\x04", "") for end in ("docx", "whl", "jar", "epub")],
        *[(f"a.csv.{end}", b"\x08", "") for end in ("metadata", "license", "webloc", "desktop")],
        ("a.csvt", b'"DateTime"', ""),
        ("~$a.xlsx", b"\x05owner", ""),
        *[(f"a.{end}", b'{"url": ""}', "is a spreadsheet") for end in ("gsheet", "fods", "slk")],
        ("desktop.ini", HEAD, ""),
        ("a.asc", HEAD, "holds events, but its name does not say so"),
        ("a.csv.asc", b"-----BEGIN PGP MESSAGE-----\n", "decrypt it: gpg -d"),
        ("a.csv.asc", b"-----BEGIN PGP SIGNATURE-----\n", ""),
        ("a", b"-----BEGIN AGE ENCRYPTED FILE-----\n", "decrypt it: age -d"),
        ("notes.rtf", b"{\\rtf1", ""),
        ("notes.001", b"x", ""),
        ("dbt.log", b"12:00 loaded a.csv", ""),
    ],
    ids=readable,
)
def test_what_looks_like_data_under_another_name_gets_its_remedy(
    name: str, head: bytes, part: str
) -> None:
    assert format_by_name(name) is None
    reason = unread_reason(name, head)
    assert part in reason
    assert bool(reason) is bool(part)
