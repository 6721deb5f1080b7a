"""A rewritten file loads into the rows of bronze that are not the user's, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from erasure.landed_files import Cut, by_stored_file, rewrite
from erasure.statements import DUCKDB, Table
from ingestion import bronze
from ingestion.contents import open_content
from ingestion.csv_records import MAX_LINE_BYTES
from ingestion.file_load import Status, load_file
from ingestion.formats import NotReadableError
from support.dirty_files import HEADER
from support.event_files import every_format, write_parquet, write_zip

USER: Final = 512
EVENT: Final = "2019-10-{day:02} 00:00:00 UTC,view,{product},20,a.b,{brand},9.99,{user},{session}"


def event(day: int, user: str, *, product: str = "1", brand: str = "x", session: str = "s") -> str:
    return EVENT.format(day=day, product=product, brand=brand, user=user, session=session)


# Lines of the user, in every way that bronze reads the number, or may have it in a broken line.
OF_THE_USER: Final = (
    event(1, "512"),
    event(2, " 512"),
    event(3, "+512"),
    event(4, "0512"),
    event(5, '"512"', brand='"two, in quotes"'),
    event(6, "512", product="not a number"),
    event(7, "512") + ",one,field,too,many",
    "cut off,view,512",
    event(8, "512x"),
)
OF_OTHERS: Final = (
    event(11, "5120"),
    event(12, "1512"),
    event(13, "5120x"),
    event(14, "51", product="512"),
    event(15, "", session="512"),
    event(16, "7", brand='"512"'),
    event(17, "7", brand='"two, in quotes"'),
    event(18, "7") + ",one,field,too,many5120",
    event(19, "999999999999999999999"),
)
CONTENT: Final = "\n".join([HEADER, *OF_OTHERS[:4], *OF_THE_USER, *OF_OTHERS[4:]]).encode() + b"\n"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as memory:
        bronze.create_tables(memory)
        yield memory


def rows(connection: duckdb.DuckDBPyConnection, path: Path, where: str) -> list[tuple[Any, ...]]:
    """Load a file and return its rows of bronze."""
    for table in (bronze.EVENTS, bronze.LEDGER):
        connection.execute(f"delete from {table}")
    assert load_file(connection, path).status is Status.LOADED
    columns = "columns(* exclude (_ingested_at, _source_file))::varchar"
    return connection.execute(
        f"select {columns} from {bronze.EVENTS} where {where} order by all"
    ).fetchall()


def check(connection: duckdb.DuckDBPyConnection, path: Path, cut: Cut) -> None:
    of_the_user = Table(bronze.EVENTS, bronze.EVENTS, has_text=True).rows_of(USER, DUCKDB)
    expected = rows(connection, path, f"not coalesce({of_the_user}, false)")
    assert len(expected) == cut.kept
    [(stored, paths)] = by_stored_file([path]).items()
    assert rewrite(stored, paths, USER) == {path: cut}
    assert rows(connection, path, "true") == expected
    # Once more: nothing of the user is left to cut.
    assert rewrite(stored, paths, USER) == {path: Cut(0, cut.kept)}


@pytest.mark.parametrize("name", [*every_format(b"")])
def test_a_file_of_text_keeps_what_is_not_the_users(
    name: str, tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    path = tmp_path / name
    path.write_bytes(every_format(CONTENT)[name])
    check(connection, path, Cut(len(OF_THE_USER), len(OF_OTHERS)))
    with open_content(path) as (stream, _):
        kept = "\n".join([HEADER, *OF_OTHERS]).encode() + b"\n"
        assert stream.read() == kept
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_was_moved_behind_a_link_is_rewritten_where_it_is(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    moved, path = tmp_path / "archive" / "october.csv", tmp_path / "landing" / "events.csv"
    for file in (moved, path):
        file.parent.mkdir()
    moved.write_bytes(CONTENT)
    path.symlink_to(moved)
    check(connection, path, Cut(len(OF_THE_USER), len(OF_OTHERS)))
    assert path.is_symlink()
    assert moved.read_text() == "\n".join([HEADER, *OF_OTHERS]) + "\n"
    assert [*moved.parent.iterdir()] == [moved]


def test_a_file_in_an_archive_leaves_the_others_as_they_are(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    other = "\n".join([HEADER, event(1, "512")]).encode()
    path = write_zip(tmp_path / "a.zip", {"in/one.csv": CONTENT, "two.csv": other})
    check(connection, path / "in/one.csv", Cut(len(OF_THE_USER), len(OF_OTHERS)))
    with open_content(path / "two.csv") as (stream, _):
        assert stream.read() == other


def test_a_parquet_file_keeps_its_types(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    columns = {
        "event_time": pa.array(["2019-10-01 00:00:00 UTC"] * 4),
        "event_type": pa.array(["view", "cart", "view", "view"]).dictionary_encode(),
        "product_id": pa.array([512, 2, 3, 4], pa.int32()),
        "category_id": pa.array([20] * 4),
        "category_code": pa.array(["two\nlines"] * 4),
        "brand": pa.array([None, "x", "x", "x"]),
        "price": pa.array([1.5] * 4),
        "user_id": pa.array([7, 512, None, 512], pa.decimal128(38, 0)),
        "user_session": pa.array([b"s"] * 4, pa.binary()),
    }
    path = write_parquet(tmp_path / "a.parquet", columns)
    check(connection, path, Cut(2, 2))
    with duckdb.connect() as other:
        kept = other.sql(f"select user_id, product_id, typeof(user_id) from '{path}'").fetchall()
    assert kept == [(7, 512, "DECIMAL(38,0)"), (None, 3, "DECIMAL(38,0)")]


def test_a_file_without_a_header_or_a_last_line_end_stays_one(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([event(1, "512"), event(2, "7"), event(3, "512")]))
    check(connection, path, Cut(2, 1))
    assert path.read_text() == event(2, "7") + "\n"


def test_a_file_of_the_user_alone_can_be_rewritten_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(event(1, "512") + "\n")
    for cut in (Cut(1, 0), Cut(0, 0)):
        assert rewrite(path, [path], USER) == {path: cut}
        assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,city\nada,paris\n", "not an events file"),
        (CONTENT + b"x" * (MAX_LINE_BYTES + 1), "a line is longer than"),
    ],
)
def test_what_has_taken_the_place_of_a_file_is_not_rewritten(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(NotReadableError, match=message):
        rewrite(path, [path], USER)
    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_an_archive_with_an_encrypted_file_is_not_rewritten(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"one.csv": CONTENT, "two.csv": CONTENT})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(NotReadableError, match=r"two\.csv: .*encrypted"):
        rewrite(path, [path / "one.csv"], USER)
    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]
