"""Fast path and slow path are equivalent: any small file gives the same rows on both."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ingestion import bronze, file_load, line_blocks
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES, REQUIRED_COLUMN_NAMES
from ingestion.file_load import FileReport, Status, load_file

EVENT = {
    "event_time": "2019-10-01 00:00:00 UTC",
    "event_type": "view",
    "product_id": "44600062",
    "category_id": "2103807459595387724",
    "category_code": "electronics.smartphone",
    "brand": "shiseido",
    "price": "35.79",
    "user_id": "541312140",
    "user_session": "72d76fde-8bb3-4e00-8c23-a032dfed738c",
}
WEIRD = [
    *[
        "",
        " ",
        "NULL",
        "null",
        "--",
        "true",
        "\\",
        "\\N",
        "'",
        "é",
        "日本",
        "😀",
        "\u2028",
        "\x1f",
        "\ufeff",
    ],
    *[
        "0",
        "-0",
        "007",
        "+5",
        " 5",
        "5 ",
        "\t5",
        "12.0",
        "12.7",
        "1e3",
        "0x10",
        "0b1",
        "1_000",
        "1,5",
    ],
    *["9223372036854775807", "9223372036854775808", "-9223372036854775808", "9" * 50],
    *[
        "nan",
        "NaN",
        "-nan",
        "inf",
        "Infinity",
        "+INF",
        "1e400",
        "-1e400",
        "1e-400",
        "5.",
        ".5",
        ".",
    ],
    *["1_0.5", "0x1p3", "1.5f", "1e", "e5", "1e+5", "1E05", "1.7976931348623159e308"],
    *["2019-10-01 24:00:00 UTC", "2019-1-1 0:0:0 UTC", "2019-10-01 00:00:00", "2019-10-01"],
    *["2019-10-01 00:00:00 UTC ", " 2019-10-01 00:00:00 UTC", "2019-10-01 00:00:00.5 UTC"],
    *["2019-10-01 00:00:60 UTC", "2019-02-29 00:00:00 UTC", "0000-01-01 00:00:00 UTC"],
    *["9999-12-31 23:59:59 UTC", "12019-10-01 00:00:00 UTC", "infinity UTC", "-infinity", "epoch"],
    *["2019-10-01T00:00:00Z", "2019-10-01 00:00:00.123456+02:00", "2019-10-01T00:00:00.5-0930"],
    *["2019-10-01 00:00:00 +05", "2019-10-01 00:00:00.1234567", "2019-02-29T00:00:00Z", "12.00"],
    *["9007199254740992.0", "9007199254740994.0", "2.05E+18", "-0.0", "0.0"],
    *["2019-10-01 00:00:00 utc", "2019-10-01 00:00:00+00", "x" * 300, "#", ";", "|", "/*", "{}"],
]
UNQUOTED = [text for text in WEIRD if "," not in text]
QUOTED = ['""', '"a"', '"a,b"', '" a "', '"#"', '"été"']
BROKEN = [
    *[
        '"',
        'a"b',
        '"a"b',
        '"a" ',
        ' "a"',
        '"a',
        'a"',
        '"a""b"',
        '"a\nb"',
        '"a\r\nb"',
        '"""',
        '""""',
    ],
    *['"a"b"', '\\"', '"a\\"', '"a\\",b"', "'a,b'", "a\0b", "a\rb", "\r", "a,b", ","],
]

plain = st.sampled_from(WEIRD) | st.text(st.characters(codec="utf-8"), max_size=6)


@st.composite
def lines(draw: st.DrawFn, names: list[str], odd: st.SearchStrategy[str]) -> str:
    values = EVENT | draw(st.dictionaries(st.sampled_from(names), odd, max_size=3))
    return ",".join(values.get(name, "") for name in names)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, int]:
    """A file's bytes and its number of header lines."""
    # Files with only odd values stay on the fast path; the other kinds leave it at some point.
    kind = draw(st.sampled_from(["values", "quoted", "broken", "bytes"]))
    odd = st.sampled_from(UNQUOTED)
    if kind != "values":
        odd = odd | st.sampled_from(QUOTED)
    if kind in ("broken", "bytes"):
        odd = odd | st.sampled_from(BROKEN) | plain
    names = list(PUBLISHED_COLUMN_NAMES)
    if draw(st.booleans()):
        others = ["category_code", "brand", "extra", "other one"]
        chosen = draw(st.lists(st.sampled_from(others), unique=True))
        names = draw(st.permutations([*REQUIRED_COLUMN_NAMES, *chosen]))
    line = lines(names, odd)
    if kind in ("broken", "bytes"):
        line = line | st.sampled_from(["", " ", "\t", ",", ",,,,,,,,", "x", '"', "\ufeff"])
        line = line | line.map(lambda text: text + ",") | line.map(lambda text: text[:-40])
    end = draw(st.sampled_from(["\n", "\r\n"]))
    ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n"]) if kind == "broken" else st.just(end)
    has_header = names != list(PUBLISHED_COLUMN_NAMES) or draw(st.integers(0, 3)) > 0
    body = [",".join(names if has_header else EVENT.values()), *draw(st.lists(line, max_size=6))]
    # A file without a good line is refused.
    body.append(",".join(EVENT.get(name, "") for name in names))
    text = "".join(part + draw(ends) for part in body)
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    content = text.encode()
    if draw(st.integers(0, 5)) == 0:
        content = b"\xef\xbb\xbf" + content
    if kind == "bytes" and content:
        position = draw(st.integers(0, len(content) - 1))
        content = content[:position] + draw(st.binary(max_size=3)) + content[position + 1 :]
    return content, int(has_header)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as memory:
        bronze.create_tables(memory)
        yield memory


def rows_of(
    connection: duckdb.DuckDBPyConnection, path: Path, *, tolerant: bool
) -> tuple[FileReport, list[tuple[str | None, ...]]]:
    for table in (bronze.EVENTS, bronze.LEDGER):
        connection.execute(f"delete from {table}")
    report = load_file(connection, path, tolerant=tolerant)
    # As text, because NaN is not equal to itself.
    sql = f"select columns(* exclude _ingested_at)::varchar from {bronze.EVENTS} order by all"
    return report, connection.execute(sql).fetchall()


@pytest.mark.slow
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    file=files(),
    compressed=st.integers(0, 7).map(lambda n: n == 0),
    block_bytes=st.sampled_from([1, 200, 1 << 20]),
    is_large=st.booleans(),
)
def test_both_paths_give_the_same_rows(
    connection: duckdb.DuckDBPyConnection,
    file: tuple[bytes, int],
    compressed: bool,
    block_bytes: int,
    is_large: bool,
) -> None:
    content, headers = file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / ("f.csv.gz" if compressed else "f.csv")
        path.write_bytes(gzip.compress(content) if compressed else content)
        with pytest.MonkeyPatch.context() as patch:
            # Short files, too, are counted while they are scanned, and have blocks that are split
            # in bulk beside lines that are not.
            patch.setattr(file_load, "LARGE_BYTES", 0 if is_large else file_load.LARGE_BYTES)
            patch.setattr(line_blocks, "BLOCK_BYTES", block_bytes)
            report, rows = rows_of(connection, path, tolerant=False)
            tolerant_report, tolerant_rows = rows_of(connection, path, tolerant=True)
    event(f"{report.status} by {'the slow path' if report.message else 'the fast path'}")
    assert rows == tolerant_rows
    assert report.status is tolerant_report.status
    assert (report.rows, report.rows_with_rescued_data, report.note) == (
        tolerant_report.rows,
        tolerant_report.rows_with_rescued_data,
        tolerant_report.note,
    )
    if b'"' not in content and report.status is Status.LOADED:
        physical = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        data = sum(bool(line.strip(b" \t\r\v\f")) for line in physical)
        assert len(rows) == data - headers


@pytest.mark.parametrize("odd", UNQUOTED + QUOTED)
def test_odd_values_stay_on_the_fast_path(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, odd: str
) -> None:
    body = [",".join((EVENT | {name: odd}).values()) for name in EVENT]
    path = tmp_path.resolve() / "f.csv"
    path.write_text("\n".join([",".join(EVENT), *body, ""]), encoding="utf-8", newline="")
    report, rows = rows_of(connection, path, tolerant=False)
    assert report.message == ""
    assert rows == rows_of(connection, path, tolerant=True)[1]
    assert len(rows) == len(body)
