"""The bronze contract, file by file."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ecommerce import cli
from ingestion import bronze, fast_scan, file_load
from ingestion.csv_records import MAX_LINE_BYTES, Record
from ingestion.event_schema import EVENT_COLUMNS, METADATA_COLUMNS, PUBLISHED_COLUMN_NAMES
from ingestion.file_load import LARGE_BYTES, FileReport, Status, load_file, load_together
from ingestion.landing_files import Layout, Profile, profile
from ingestion.local_loader import load
from ingestion.typed_text import Texts
from project.errors import UserError
from support.dirty_files import HEADER, DirtyFile, Lines, dirty_files, write_dirty_files
from support.event_files import csv_text
from support.event_texts import FITTING, MISFITS
from support.unreadable import make_unreadable

Rows = list[tuple[Any, ...]]


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder.resolve()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "home" / "shop.duckdb"


def query(database: Path | duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> Rows:
    if not isinstance(database, Path):
        return database.execute(sql, parameters).fetchall()
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(sql, parameters).fetchall()


def load_one(landing: Path, database: Path, content: bytes, name: str = "f.csv") -> FileReport:
    (landing / name).write_bytes(content)
    [report] = load(landing / name, database).files
    return report


def brands(database: Path) -> list[str | None]:
    return [
        row[0] for row in query(database, "select brand from bronze_layer.events_raw order by 1")
    ]


def rescued(database: Path) -> list[dict[str, str]]:
    sql = "select _rescued_data from bronze_layer.events_raw where _rescued_data is not null"
    return [json.loads(row[0]) for row in query(database, sql)]


@pytest.fixture(scope="module", params=[LARGE_BYTES, 0], ids=["small", "large"])
def dirty(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, FileReport]]]:
    folder = tmp_path_factory.mktemp("dirty")
    write_dirty_files(folder / "landing")
    database = folder / "shop.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_load, "LARGE_BYTES", request.param)
        reports = load(folder / "landing", database).files
    # For all tests: to open a database takes longer than its queries.
    with duckdb.connect(str(database), read_only=True) as connection:
        yield connection, {report.path.name: report for report in reports}


@pytest.mark.parametrize("file", dirty_files(), ids=lambda file: file.name)
def test_each_kind_of_bad_file_is_accounted_for(
    file: DirtyFile, dirty: tuple[duckdb.DuckDBPyConnection, dict[str, FileReport]]
) -> None:
    database, reports = dirty
    report = reports[file.name]
    assert (report.status, report.rows, report.rows_with_rescued_data) == (
        file.status,
        file.rows,
        file.rescued,
    ), report.message
    sql = (
        "select count(*), count(_rescued_data) from bronze_layer.events_raw where _source_file = ?"
    )
    assert query(database, sql, str(report.path)) == [(file.rows, file.rescued)]
    ledger = query(
        database, "select rows from bronze_layer.loaded_files where path = ?", str(report.path)
    )
    assert ledger == ([(file.rows,)] if file.status is Status.LOADED else [])
    assert report.message or file.status is Status.LOADED


@pytest.mark.parametrize("year", [1601, 2300])
def test_a_wrong_clock_keeps_no_file_out(landing: Path, database: Path, year: int) -> None:
    file = landing / "a.csv"
    file.write_bytes(csv_text(Lines()))
    seconds = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    os.utime(file, (seconds, seconds))
    for status in (Status.LOADED, Status.ALREADY_LOADED):
        [report] = load(landing, database).files
        assert (report.status, report.rows) == (status, 3)


def test_a_good_line_in_a_dirty_file_keeps_its_values(
    dirty: tuple[duckdb.DuckDBPyConnection, dict[str, FileReport]],
) -> None:
    database, reports = dirty
    for name in ("other_order.csv", "crlf.csv", "byte_order_mark.csv", "no_header.csv"):
        sql = (
            "select distinct event_type, product_id, category_id, category_code, brand, price,"
            " strlen(user_session) from bronze_layer.events_raw where _source_file = ?"
        )
        expected = ("view", 1004767, 2053013555631882655, "electronics.smartphone", "samsung")
        assert query(database, sql, str(reports[name].path)) == [(*expected, 254.82, 36)], name


def test_table_has_the_columns_of_the_contract(landing: Path, database: Path) -> None:
    load_one(landing, database, f"{HEADER}\n{Lines().line()}\n".encode())
    types = {"string": "VARCHAR"}
    assert query(
        database,
        "select column_name, data_type from information_schema.columns"
        " where table_schema = 'bronze_layer' and table_name = 'events_raw'"
        " order by ordinal_position",
    ) == [
        (c.name, types.get(c.sql_type, c.sql_type.upper()))
        for c in EVENT_COLUMNS + METADATA_COLUMNS
    ]


@pytest.mark.parametrize(("column", "text", "value"), FITTING)
def test_values_that_fit_their_type(
    landing: Path, database: Path, column: str, text: str, value: object
) -> None:
    lines = Lines()
    content = "\n".join([HEADER, lines.line(), lines.line(**{column: text}), ""])
    load_one(landing, database, content.encode())
    sql = f"select {column}, _rescued_data from bronze_layer.events_raw order by user_session"
    assert repr(query(database, sql)[1]) == repr((value, None))


@pytest.mark.parametrize("column", MISFITS)
def test_values_that_do_not_fit_their_type_are_rescued(
    landing: Path, database: Path, column: str
) -> None:
    lines = Lines()
    texts = MISFITS[column]
    odd = [lines.values(**{column: text}) for text in texts]
    body = [",".join(f'"{v}"' if "," in v else v for v in values) for values in odd]
    content = "\n".join([HEADER, lines.line(), *body])
    report = load_one(landing, database, content.encode())
    assert report.message == "", "bad values alone do not need the slow path"
    assert sorted(r[column] for r in rescued(database)) == sorted(texts)
    sql = f"select count(*), count({column}), count(user_id) from bronze_layer.events_raw"
    assert query(database, sql) == [(len(texts) + 1, 1, len(texts) + 1)]


def test_quoted_decimal_commas_are_rescued(landing: Path, database: Path) -> None:
    lines = Lines()
    content = "\n".join([HEADER, lines.line(price='"1,5"'), lines.line(), ""])
    load_one(landing, database, content.encode())
    assert rescued(database) == [{"price": "1,5"}]


def test_several_misfits_share_one_json_object(landing: Path, database: Path) -> None:
    lines = Lines()
    odd = lines.line(product_id="x", price="q\\'") + ",été"
    load_one(landing, database, f"{HEADER},it's new\n{odd}\n{lines.line()},\n".encode())
    assert rescued(database) == [{"product_id": "x", "price": "q\\'", "it's new": "été"}]


def test_whole_line_is_kept_when_malformed(landing: Path, database: Path) -> None:
    good = f"{HEADER}\n{Lines().line()}\n".encode()
    content = good + b'a,"b\\\r\n\xff\0,\xc3\xa9\n' + b'x,a"b,"c"d\n'
    report = load_one(landing, database, content)
    assert {r["_line"] for r in rescued(database)} == {'a,"b\\', "\\xff\\x00,é", 'x,a"b,"c"d'}
    assert report.rows == 4
    null = " and ".join(f"{name} is null" for name in PUBLISHED_COLUMN_NAMES)
    assert query(database, f"select count(*) from bronze_layer.events_raw where {null}") == [(3,)]


def test_quoted_records(landing: Path, database: Path) -> None:
    lines = Lines()
    good = ['"a, b"', '"cr\r,"', '"say ""hi"""', '"plain"', '""""', '","']
    content = "\n".join([HEADER, *[lines.line(brand=brand) for brand in good], ""])
    load_one(landing, database, content.encode())
    assert brands(database) == sorted(["a, b", "cr\r,", 'say "hi"', "plain", '"', ","])


def test_a_quoted_line_end_makes_both_lines_malformed(landing: Path, database: Path) -> None:
    lines = Lines()
    broken = lines.line(brand='"two\nlines"')
    content = "\n".join([HEADER, broken, lines.line(brand='"a, b"'), ""])
    report = load_one(landing, database, content.encode())
    assert (report.rows, report.rows_with_rescued_data) == (3, 2)
    assert rescued(database) == [{"_line": part} for part in broken.split("\n")]


def test_stray_quote_spoils_only_its_own_line(landing: Path, database: Path) -> None:
    lines = Lines()
    stray = lines.line(brand='"stray')
    # The second stray quote closes the first; the record between them has too many fields.
    content = [
        HEADER,
        stray,
        *[lines.line() for _ in range(50)],
        stray,
        lines.line(brand='"a"'),
        "",
    ]
    report = load_one(landing, database, "\n".join(content).encode())
    assert (report.rows, report.rows_with_rescued_data) == (53, 2)
    assert rescued(database) == [{"_line": stray}] * 2


@pytest.mark.parametrize("between", [0, 2, 50])
def test_two_stray_quotes_in_one_column_swallow_no_line(
    between: int, landing: Path, database: Path
) -> None:
    lines = Lines()
    opens, closes = lines.line(brand='"ultra'), lines.line(brand='tv 55"')
    content = [HEADER, opens, *[lines.line() for _ in range(between)], closes, lines.line(), ""]
    report = load_one(landing, database, "\n".join(content).encode())
    assert (report.rows, report.rows_with_rescued_data) == (between + 3, 2)
    assert rescued(database) == [{"_line": opens}, {"_line": closes}]


def test_endless_line_is_refused_in_bounded_memory(landing: Path, database: Path) -> None:
    line = Lines().line()
    content = f"{HEADER}\n{line}\n".encode() + b"z" * (MAX_LINE_BYTES + 1)
    report = load_one(landing, database, content)
    assert report.status is Status.REFUSED
    assert "longer than" in report.message


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("brand", ["samsung", '"with, comma"'])
@pytest.mark.parametrize("large", [LARGE_BYTES, 0])
def test_clean_file_takes_the_fast_path(
    landing: Path,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    end: str,
    brand: str,
    large: int,
) -> None:
    monkeypatch.setattr(file_load, "LARGE_BYTES", large)
    lines = Lines()
    content = end.join([HEADER, *[lines.line(brand=brand) for _ in range(5)], ""]).encode()
    compressed = gzip.compress(content) if suffix == "csv.gz" else content
    report = load_one(landing, database, compressed, f"f.{suffix}")
    assert (report.status, report.rows, report.message) == (Status.LOADED, 5, "")
    assert brands(database) == [brand.strip('"')] * 5


def test_bad_line_sends_a_file_to_the_slow_path(landing: Path, database: Path) -> None:
    lines = Lines()
    content = f"{HEADER}\n{lines.line()}\n{lines.line()},\n".encode()
    assert "read line by line" in load_one(landing, database, content).message


def test_many_batches_give_the_rows_of_the_fast_path(landing: Path) -> None:
    lines = Lines()
    path = landing / "f.csv"
    path.write_text("\n".join([HEADER, *[lines.line() for _ in range(60_000)], ""]))
    sql = f"select count(*), sum(hash({', '.join(PUBLISHED_COLUMN_NAMES)})) from {bronze.EVENTS}"
    found = []
    for tolerant in (False, True):
        with duckdb.connect() as connection:
            bronze.create_tables(connection)
            assert load_file(connection, path, tolerant=tolerant).message == ""
            found.append(connection.execute(sql).fetchall())
    assert found[0] == found[1]
    assert found[0][0][0] == 60_000


@pytest.mark.parametrize(
    "brands", [['"a" '], [' "a"'], ['a"b'], ['a"b', '"a" '], ['"a"', '"a",more']], ids=str
)
def test_invalid_quotes_that_duckdb_accepts_are_malformed(
    landing: Path, database: Path, brands: list[str]
) -> None:
    lines = Lines()
    body = [lines.line(brand=brand) for brand in brands]
    malformed = body[-1:] if brands[0] == '"a"' else body
    report = load_one(landing, database, "\n".join([HEADER, lines.line(), *body]).encode())
    assert report.rows == 1 + len(body)
    assert sorted(r["_line"] for r in rescued(database)) == sorted(malformed)


def test_empty_tenth_field_that_duckdb_accepts_is_malformed(landing: Path, database: Path) -> None:
    lines = Lines()
    tenth = lines.line(brand='"a"') + ","
    report = load_one(landing, database, "\n".join([HEADER, lines.line(), tenth]).encode())
    assert (report.rows, rescued(database)) == (2, [{"_line": tenth}])


def as_future(content: Profile, delay: float) -> Future[Profile]:
    """What a thread that counts the file gives, at once or later."""
    counted: Future[Profile] = Future()
    if delay:
        threading.Timer(delay, counted.set_result, [content]).start()
    else:
        counted.set_result(content)
    return counted


@pytest.mark.parametrize(("brand", "delay"), [("a", 0), ('"a, b"', 0), ("a", 0.5), ('"a, b"', 0.5)])
def test_scan_is_not_trusted_when_counts_differ(landing: Path, brand: str, delay: float) -> None:
    path = landing / "f.csv"
    path.write_text(f"{HEADER}\n{Lines().line(brand=brand)}\n")
    counted = profile(path)
    one_line_more = replace(counted, lines=counted.lines + 1, commas=counted.commas + 8)
    content = replace(counted, size=counted.size + 1) if '"' in brand else one_line_more
    layout = Layout(PUBLISHED_COLUMN_NAMES, has_header=True)
    with duckdb.connect() as connection:
        bronze.create_tables(connection)
        with pytest.raises(fast_scan.NotRegularError):
            fast_scan.insert_by_scan(
                connection,
                path,
                layout,
                Record(HEADER.split(","), HEADER.encode() + b"\n", 1),
                as_future(content, delay),
                datetime(2020, 1, 1),
                int,
                Texts.ZONED,
            )


def test_small_files_share_a_transaction(landing: Path) -> None:
    paths = [landing / name for name in ("good.csv", "malformed.csv")]
    content = f"{HEADER}\n{Lines().line()}\n"
    paths[0].write_text(content)
    paths[1].write_text(content + "malformed\n")

    def end(_: int) -> None:
        raise KeyboardInterrupt

    ledger = f"select count(*), count(distinct _ingested_at) from {bronze.LEDGER}"
    with duckdb.connect() as connection:
        bronze.create_tables(connection)
        with pytest.raises(KeyboardInterrupt):
            load_together(connection, paths, end)
        assert connection.execute(ledger).fetchall() == [(0, 0)]
        assert connection.execute(f"select count(*) from {bronze.EVENTS}").fetchall() == [(0,)]
        reports = load_together(connection, paths)
        assert [(report.status, report.rows) for report in reports] == [
            (Status.LOADED, 1),
            (Status.LOADED, 2),
        ]
        assert connection.execute(ledger).fetchall() == [(2, 2)]


@pytest.mark.parametrize(
    "odd",
    ["{header}\n", "\n", "\n{unzoned}", " \r\n", '{quoted}"\n'],
    ids=["repeated header", "blank", "no zone", "blanks", "quote"],
)
def test_a_file_that_needs_a_second_try_takes_no_other_with_it(
    landing: Path, database: Path, odd: str
) -> None:
    lines = Lines()
    for name in "abc":
        content = "".join(lines.line() + "\n" for _ in range(30))
        if name == "b":
            content += odd.format(
                header=HEADER,
                quoted=lines.line(brand='"a"'),
                unzoned=lines.line(event_time="2019-10-01 00:00:00") + "\n",
            )
        (landing / f"{name}.csv").write_text(f"{HEADER}\n{content}")
    reports = load(landing, database).files
    assert [report.status for report in reports] == [Status.LOADED] * 3
    more = odd.count("{quoted}") + odd.count("{unzoned}")
    assert [report.rows for report in reports] == [30, 30 + more, 30]
    sql = "select _source_file, count(*) from bronze_layer.events_raw group by all order by 1"
    assert query(database, sql) == [(str(report.path), report.rows) for report in reports]
    ledger = "select path, rows from bronze_layer.loaded_files order by 1"
    assert query(database, ledger) == query(database, sql)


@pytest.mark.parametrize("name", ["a[1].csv", "what?.csv", "it's *.csv", "month=10/a b.csv"])
def test_file_names_with_glob_characters(landing: Path, database: Path, name: str) -> None:
    (landing / name).parent.mkdir(exist_ok=True)
    (landing / "a1.csv").write_text(f"{HEADER}\n{Lines().line()}\n{Lines().line()}\n")
    report = load_one(landing, database, f"{HEADER}\n{Lines().line()}\n".encode(), name)
    assert (report.rows, report.message) == (1, "")
    sql = "select distinct _source_file from bronze_layer.events_raw"
    assert query(database, sql) == [(str(landing / name),)]


def test_second_load_loads_nothing(landing: Path, database: Path) -> None:
    write_dirty_files(landing)
    first = load(landing, database)
    before = query(database, "select count(*), max(_ingested_at) from bronze_layer.events_raw")
    second = load(landing, database)
    assert second.count(Status.ALREADY_LOADED) == first.count(Status.LOADED) > 0
    assert second.count(Status.LOADED) == 0
    after = query(database, "select count(*), max(_ingested_at) from bronze_layer.events_raw")
    assert after == before
    assert [(f.path, f.rows) for f in first.files] == [(f.path, f.rows) for f in second.files]


def test_refused_file_is_read_again(landing: Path, database: Path) -> None:
    content = gzip.compress(f"{HEADER}\n{Lines().line()}\n".encode())
    assert load_one(landing, database, content[:-4], "f.csv.gz").status is Status.REFUSED
    assert load_one(landing, database, content, "f.csv.gz").status is Status.LOADED


@pytest.mark.parametrize("changed", [bronze.EVENTS, bronze.LEDGER])
def test_a_table_that_was_emptied_by_hand_stops_a_load(
    landing: Path, database: Path, changed: str
) -> None:
    load_one(landing, database, f"{HEADER}\n{Lines().line()}\n".encode())
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"delete from {changed}")
    refusal = r"events_raw: has [01] rows, and by .* [01] were loaded"
    with pytest.raises(UserError, match=refusal) as refused:
        load(landing, database)
    # An error that is kept must not keep the database open: this asks for another mode.
    assert query(database, "select 1") == [(1,)] and refused.value
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"drop table {changed}")
    with pytest.raises(UserError, match="make clean"):
        load(landing, database)


def test_changed_content_is_reported_and_not_loaded(landing: Path, database: Path) -> None:
    lines = Lines()
    first = f"{HEADER}\n{lines.line(brand='aaa')}\n"
    load_one(landing, database, first.encode())
    longer = load_one(landing, database, (first + lines.line()).encode())
    same_size = load_one(landing, database, first.replace("aaa", "bbb").encode())
    assert (longer.status, same_size.status) == (Status.CHANGED, Status.CHANGED)
    assert "new file" in same_size.message
    assert brands(database) == ["aaa"]


def test_touched_file_counts_as_unchanged_and_is_hashed_once(landing: Path, database: Path) -> None:
    report = load_one(landing, database, f"{HEADER}\n{Lines().line()}\n".encode())
    os.utime(report.path, ns=(1, 1))
    [touched] = load(landing, database).files
    assert touched.status is Status.ALREADY_LOADED
    assert query(database, "select modified_ns from bronze_layer.loaded_files") == [(1,)]


def test_ingestion_times_increase_even_if_the_clock_steps_back(
    landing: Path, database: Path
) -> None:
    lines = Lines()
    load_one(landing, database, f"{HEADER}\n{lines.line()}\n".encode(), "a.csv")
    future = "timestamp '2150-01-01 00:00:00'"
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"update bronze_layer.loaded_files set _ingested_at = {future}")
    for name in ("b.csv", "c.csv"):
        load_one(landing, database, f"{HEADER}\n{lines.line()}\n{lines.line()}\n".encode(), name)
    sql = "select epoch_us(_ingested_at) - epoch_us({}) from bronze_layer.events_raw order by 1"
    assert query(database, sql.format(future))[1:] == [(1,), (1,), (2,), (2,)]


def test_folder_is_searched_in_path_order_without_unfinished_files(
    landing: Path, database: Path
) -> None:
    content = f"{HEADER}\n{Lines().line()}\n"
    for name in (
        "b/2.csv",
        "b/1.CSV",
        "a.csv",
        ".hidden.csv",
        "_tmp.csv",
        "a.csv.part",
        ".d/x.csv",
    ):
        (landing / name).parent.mkdir(exist_ok=True)
        (landing / name).write_text(content)
    (landing / "link.csv").symlink_to(landing / "a.csv")
    files = load(landing, database).files
    assert [f.path for f in files] == [landing / n for n in ("a.csv", "b/1.CSV", "b/2.csv")]


def test_command_with_nothing_to_load(
    landing: Path, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(data: Path) -> tuple[int, str]:
        code = cli.main(["load", "--data", str(data), "--database", str(database)])
        return code, capsys.readouterr().err

    code, message = run(landing / "missing")
    assert (code, "no such file" in message) == (2, True)
    code, message = run(landing)
    assert (code, "no .csv, .csv.gz, .csv.zst, .zip or .parquet file" in message) == (2, True)
    (landing / "x.txt").write_text("x")
    code, message = run(landing / "x.txt")
    assert (code, "not a .csv" in message) == (2, True)
    (landing / "other.csv").write_text("a,b\n")
    code, message = run(landing)
    assert (code, "none of its files" in message) == (2, True)
    write_dirty_files(landing)
    code, message = run(landing)
    assert (code, message) == (0, "")


def test_database_path_of_another_kind_of_file(landing: Path, tmp_path: Path) -> None:
    (landing / "f.csv").write_text(HEADER)
    (tmp_path / "no.duckdb").write_text("not a database " * 1000)
    with pytest.raises(UserError, match=r"no\.duckdb"):
        load(landing, tmp_path / "no.duckdb")


def test_real_rows(real_data: Path, database: Path) -> None:
    report = load(real_data, database)
    assert [(f.rows, f.rows_with_rescued_data, f.message) for f in report.files if f.rows] == [
        (17_434, 0, ""),
        (683, 0, ""),
    ]
    assert report.count(Status.LOADED) == 2
    assert report.count(Status.REFUSED) >= 22
    assert query(database, "select count(*) from bronze_layer.events_raw") == [(18_117,)]


def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f.csv").write_text(HEADER)
    make_unreadable(tmp_path / "closed", monkeypatch)
    with pytest.raises(UserError, match="closed: cannot be read: Permission denied; get"):
        load(tmp_path, tmp_path / "shop.duckdb")


def test_a_path_that_the_system_refuses_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: File name too long"):
        load(tmp_path / ("x" * 300), tmp_path / "shop.duckdb")


def test_error_distinguishes_an_unusable_path_from_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(HEADER)
    with pytest.raises(UserError, match="is no file, so no database") as caught:
        load(tmp_path, tmp_path)
    assert "not a DuckDB database" not in str(caught.value)
    with pytest.raises(UserError, match="not a DuckDB database"):
        load(tmp_path, Path(shutil.copy(tmp_path / "f.csv", tmp_path / "f.duckdb")))
