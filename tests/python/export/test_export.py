"""Exports are read back by the readers of their formats, row by row, and are whole or not there."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from ecommerce import cli
from export import command, formats
from export.folder import MANIFEST, STATE
from project.errors import UserError
from project.home import CHECKOUT
from support.built_gold import built_gold
from support.platform_runs import Home
from support.prerequisites import missing

pytestmark = pytest.mark.slow

PERSONAL = ("user_id",)
# Values that a format may lose or change.
TRICKY = """
    create or replace table gold_layer.product_affinity as
    select * from (values
        ('', 1::bigint, 1, 0.01::decimal(18, 2), 0.1::double, true, date '1969-12-31',
            timestamp '2019-11-30 23:59:59.999999'),
        (null, null, null, null, null, null, null, null),
        ('a "quoted", text', -9223372036854775808, 0, -9999999999999999.99, 1e-300, false,
            date '9999-12-31', timestamp '0001-01-01 00:00:00'),
        (E'two\\nlines\\r', 9223372036854775807, -1, 9999999999999999.99, -0.30000000000000004,
            true, date '2020-02-29', timestamp '1969-12-31 23:59:59.000001'),
        ('null', 0, 7, 0.00, 1e15, false, date '0001-01-01', timestamp '2020-02-29 12:00:00'),
        ('É 中 \U0001f6d2', 0, 7, 0.00, 0, false, date '2020-01-01', timestamp '2020-02-29')
    ) as tricky (text, number, small, price, share, is_it, day, moment)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = built_gold(tmp_path_factory.mktemp("gold"))
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(TRICKY)
        connection.execute(
            "create or replace table gold_layer.price_changes as"
            " from gold_layer.product_affinity limit 0"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECOMMERCE_HOME", str(home.folder))
        yield home


@pytest.fixture(scope="module")
def exported(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of an export in a format; no test changes one."""
    folder = tmp_path_factory.mktemp("exports of gold")

    def export(name: str) -> Path:
        if not (folder / name).exists():
            command.export(name, folder / name)
        return folder / name

    return export


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose gold is one table of one row."""
    home = Home(tmp_path / "small")
    home.folder.mkdir()
    with duckdb.connect(str(home.database)) as connection:
        connection.execute("create schema gold_layer")
        connection.execute("create table gold_layer.orders as select 5 as revenue")
    monkeypatch.setenv("ECOMMERCE_HOME", str(home.folder))
    return home


def run(*arguments: str, expect: int = 0) -> None:
    assert cli.main(["export", *arguments]) == expect


def gold(home: Home) -> dict[str, list[str]]:
    """Return the tables and columns of gold that are not personal."""
    columns: dict[str, list[str]] = {}
    for table, column in home.query(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'gold_layer' order by table_name, ordinal_position"
    ):
        columns.setdefault(table, []).extend([] if column in PERSONAL else [column])
    assert {
        "orders",
        "customer_metrics",
        "daily_sales_summary",
        "product_affinity",
    } <= columns.keys()
    return columns


def assert_has_gold(
    home: Home, read: Callable[[str], tuple[list[str], Iterable[tuple[Any, ...]]]], cast: str = ""
) -> None:
    """Assert that `read` returns the names and rows of each table as the database has them."""
    for table, columns in gold(home).items():
        names, rows = read(table)
        assert names == columns, table
        selected = ", ".join(f'"{name}"{cast}' for name in columns)
        assert Counter(rows) == Counter(home.query(f"select {selected} from gold_layer.{table}"))


def of_arrow(rows: Any) -> tuple[list[str], Iterable[tuple[Any, ...]]]:
    return rows.column_names, zip(*(column.to_pylist() for column in rows.columns), strict=True)


def test_parquet_by_pyarrow(home: Home, exported: Callable[[str], Path]) -> None:
    folder = exported("parquet")
    assert_has_gold(home, lambda table: of_arrow(pq.read_table(folder / f"{table}.parquet")))
    group = pq.ParquetFile(folder / "orders.parquet").metadata.row_group(0)
    assert {group.column(place).compression for place in range(group.num_columns)} == {"ZSTD"}


def test_parquet_by_pandas(home: Home, exported: Callable[[str], Path]) -> None:
    orders = pd.read_parquet(exported("parquet") / "orders.parquet")
    [(revenue,)] = home.query("select sum(revenue) from gold_layer.orders")
    assert orders["revenue"].sum() == revenue > 0


def test_delta_by_deltalake(home: Home, exported: Callable[[str], Path]) -> None:
    folder = exported("delta")
    assert_has_gold(home, lambda table: of_arrow(DeltaTable(folder / table).to_pyarrow_table()))
    assert "One row per order" in (DeltaTable(folder / "orders").metadata().description or "")


def test_iceberg_by_pyiceberg(home: Home, exported: Callable[[str], Path]) -> None:
    # All processes of a session import this file, and only one should pay for the catalog.
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("gold", uri=f"sqlite:///{exported('iceberg') / 'catalog.db'}")
    assert_has_gold(
        home, lambda table: of_arrow(catalog.load_table(("gold_layer", table)).scan().to_arrow())
    )
    catalog.close()


def test_csv_by_the_csv_module(home: Home, exported: Callable[[str], Path]) -> None:
    folder = exported("csv")

    def read(table: str) -> tuple[list[str], Iterable[tuple[Any, ...]]]:
        with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            names, *rows = csv.reader(file)
        return names, ((*row,) for row in rows)

    # The module reads null as an empty text.
    home_with_texts = replace_nulls(home)
    assert_has_gold(home_with_texts, read, "::varchar")


def replace_nulls(home: Home) -> Home:
    class Texts(Home):
        def query(self, sql: str) -> list[tuple[Any, ...]]:
            return [tuple("" if v is None else v for v in row) for row in super().query(sql)]

    return Texts(home.folder)


def test_csv_keeps_null_and_an_empty_text_apart(exported: Callable[[str], Path]) -> None:
    lines = (exported("csv") / "product_affinity.csv").read_text(encoding="utf-8").splitlines()
    assert '"",1,1,0.01,0.1,true,1969-12-31,2019-11-30 23:59:59.999999' in lines
    assert ",,,,,,," in lines


def test_duckdb_file_by_this_version(home: Home, exported: Callable[[str], Path]) -> None:
    with duckdb.connect(str(exported("duckdb") / "gold.duckdb"), read_only=True) as connection:

        def read(table: str) -> tuple[list[str], Iterable[tuple[Any, ...]]]:
            found = connection.execute(f"from gold_layer.{table}")
            return [name for name, *_ in found.description or ()], found.fetchall()

        assert_has_gold(home, read)
        schemas = connection.execute("select distinct schema_name from duckdb_tables()").fetchall()
    assert schemas == [("gold_layer",)]


OLD_CLIENT = """
import json, sys, duckdb
database = duckdb.connect(sys.argv[1], read_only=True)
tables = [name for (name,) in database.execute(
    "select table_name from duckdb_tables() where schema_name = 'gold_layer'").fetchall()]
print(json.dumps({
    "version": duckdb.__version__,
    "storage": database.execute("select tags['storage_version'] from duckdb_databases()"
        " where path is not null").fetchall(),
    "rows": {table: database.execute(f"select count(*) from gold_layer.{table}").fetchone()[0]
        for table in tables},
    "revenue": str(database.execute("select sum(revenue) from gold_layer.orders").fetchone()[0]),
    "comment": database.execute("select comment from duckdb_columns()"
        " where table_name = 'orders' and column_name = 'order_date'").fetchone()[0],
}))
"""


@pytest.mark.workspace
@pytest.mark.parametrize("is_export", [True, False])
def test_duckdb_files_by_an_older_version(
    home: Home, exported: Callable[[str], Path], is_export: bool
) -> None:
    python = CHECKOUT / ".venv-tools" / "bin" / "python"
    if not python.exists():
        missing("no older DuckDB: `make .venv-tools/installed` makes it")
    file = exported("duckdb") / "gold.duckdb" if is_export else home.database
    found = json.loads(subprocess.check_output([python, "-c", OLD_CLIENT, file], text=True))
    assert found["version"].startswith("1.")
    # What a file needs of its readers; 1.4 is older than the client of this test.
    assert found["storage"] == [["v1.4.0+"]]
    for table in gold(home):
        [(rows,)] = home.query(f"select count(*) from gold_layer.{table}")
        assert found["rows"][table] == rows
    [(revenue,)] = home.query("select sum(revenue) from gold_layer.orders")
    assert found["revenue"] == str(revenue)
    assert "Day of the order's first purchase" in found["comment"]


@pytest.mark.parametrize("name", formats.FORMATS)
def test_check_reads_every_format(
    exported: Callable[[str], Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--check", str(exported(name)))
    assert "matches  product_affinity: 6 rows" in capsys.readouterr().out


def test_personal_columns_stay_unless_they_are_asked_for(
    home: Home, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    manifest = json.loads((exported("parquet") / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["tables"]["orders"]["left_out"] == ["user_id"]
    run("--format", "parquet", "--to", str(tmp_path / "all"), "--with-personal")
    orders = pq.read_table(tmp_path / "all" / "orders.parquet")
    [(users,)] = home.query("select sum(user_id) from gold_layer.orders")
    assert sum(orders["user_id"].to_pylist()) == users
    manifest = json.loads((tmp_path / "all" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["tables"]["orders"]["left_out"] == []


def test_the_table_of_a_removed_mart_is_not_exported(home: Home, tmp_path: Path) -> None:
    with home.database_restored():
        with duckdb.connect(str(home.database)) as connection:
            connection.execute("create table gold_layer.removed as select 'a@b.com' as email")
        run("--format", "parquet", "--to", str(tmp_path / "all"))
    manifest = json.loads((tmp_path / "all" / MANIFEST).read_text(encoding="utf-8"))
    assert "orders" in manifest["tables"]
    assert "removed" not in manifest["tables"]
    assert not (tmp_path / "all" / "removed.parquet").exists()


def _change_a_cent(folder: Path) -> None:
    path = folder / "orders.csv"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    with path.open(encoding="utf-8", newline="") as file:
        header, first, *_ = csv.reader(file)
    price = first[header.index("revenue")]
    changed = f"{price[:-1]}{(int(price[-1]) + 1) % 10}"
    rows[1] = rows[1].replace(f",{price},", f",{changed},")
    path.write_text("".join(rows), encoding="utf-8")


def _lose_a_row(folder: Path) -> None:
    path = folder / "orders.csv"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(rows[:-1]), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_change_a_cent, "  revenue: sum "),
        (_lose_a_row, " rows expected, "),
        (lambda folder: (folder / "orders.csv").unlink(), "  cannot be read: "),
    ],
)
def test_check_finds_damage(
    exported: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    message: str,
) -> None:
    folder = shutil.copytree(exported("csv"), tmp_path / "copy")
    damage(folder)
    run("--check", str(folder), expect=2)
    output = capsys.readouterr()
    assert message in output.out
    assert "differs  orders: " in output.out
    assert output.out.count("differs") == 1
    assert "1 of " in output.err


def interrupt_at(table_name: str, patch: pytest.MonkeyPatch) -> None:
    """Let exports as Parquet end within the table, as by Ctrl-C."""
    parquet = formats.FORMATS["parquet"]

    def write(connection: Any, table: Any, place: Any) -> None:
        if table.name == table_name:
            (place.folder / f"{table.name}.parquet.unfinished").write_bytes(b"half")
            raise KeyboardInterrupt
        parquet.write(connection, table, place)

    patch.setitem(formats.FORMATS, "parquet", replace(parquet, write=write))


def test_an_interrupted_export_continues(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, begun = tmp_path / "export", tmp_path / "export.unfinished"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at("daily_sales_summary", patch)
        run("--format", "parquet", "--to", str(target), expect=130)
    assert not target.exists()
    whole, damaged = (
        begun / f"{name}.parquet" for name in ("conversion_funnel", "customer_cohorts")
    )
    written = whole.stat().st_mtime_ns
    damaged.write_bytes(damaged.read_bytes()[:-100])
    capsys.readouterr()
    run("--format", "parquet", "--to", str(target))
    output = capsys.readouterr().out
    assert "there already  conversion_funnel: " in output
    assert "exported  customer_cohorts: " in output
    assert "exported  daily_sales_summary: " in output
    assert (target / whole.name).stat().st_mtime_ns == written
    assert not begun.exists()
    run("--check", str(target))
    files = {f"{table}.parquet" for table in gold(home)}
    assert {path.name for path in target.iterdir()} == files | {MANIFEST}


def test_an_export_does_not_continue_one_of_something_else(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "export"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at("orders", patch)
        run("--format", "parquet", "--to", str(target), "--with-personal", expect=130)
    run("--format", "parquet", "--to", str(target))
    assert "there already" not in capsys.readouterr().out
    assert pq.read_schema(target / "customer_metrics.parquet").names[0] != "user_id"


def test_an_earlier_export_is_replaced(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "export"
    run("--format", "csv", "--to", str(target))
    run("--format", "parquet", "--to", str(target))
    run("--check", str(target))
    # As a process leaves it that ends between two renames.
    target.rename(tmp_path / "export.replaced")
    run("--format", "parquet", "--to", str(target))
    run("--check", str(target))
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_failed_export_leaves_the_earlier_one(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "export"
    run("--format", "parquet", "--to", str(target))
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at("product_performance", patch)
        run("--format", "parquet", "--to", str(target), expect=130)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert (tmp_path / "export.unfinished" / STATE).exists()


@pytest.mark.parametrize("name", ["target", "target.unfinished", "target.replaced"])
def test_files_of_others_are_not_touched(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / "target").mkdir(exist_ok=True)
    (tmp_path / name / "thesis.txt").write_text("years of work")
    run("--format", "csv", "--to", str(tmp_path / "target"), expect=2)
    assert f"{name}: is not an export: thesis.txt; choose another" in capsys.readouterr().err
    assert (tmp_path / name / "thesis.txt").read_text() == "years of work"


def test_an_export_with_other_files_is_not_replaced(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--format", "csv", "--to", str(tmp_path / "target"))
    (tmp_path / "target" / "notes.txt").write_text("mine")
    run("--format", "csv", "--to", str(tmp_path / "target"), expect=2)
    assert "has other files than its export: notes.txt" in capsys.readouterr().err
    assert (tmp_path / "target" / "notes.txt").read_text() == "mine"


def test_a_file_is_no_target(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "target").write_text("mine")
    run("--format", "csv", "--to", str(tmp_path / "target"), expect=2)
    assert "is no folder; choose another (--to)" in capsys.readouterr().err
    assert (tmp_path / "target").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("/", "is the root of the file system; choose another"),
        *((f"what{c}else", f"has {c!a} in its path") for c in "?%*[|^\\\n\udcff"),
    ],
)
def test_a_path_that_a_format_reads_otherwise_is_no_target(
    small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, what: str
) -> None:
    for name_of_format in formats.FORMATS:
        run("--format", name_of_format, "--to", str(tmp_path / name), expect=2)
        assert what in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [small.folder]


@pytest.mark.parametrize("name", formats.FORMATS)
def test_other_signs_in_a_path_are_part_of_it(
    small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    target = tmp_path / "revenue=7" / "it's \"né\" #1; {x} $y, z+&~!@:'"
    run("--format", name, "--to", str(target))
    run("--check", str(target))
    assert "1 tables match" in capsys.readouterr().out
    assert [path.name for path in tmp_path.rglob("*.unfinished")] == []


@pytest.mark.parametrize("name", formats.FORMATS)
def test_a_personal_column_stays_however_it_is_written(
    small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with duckdb.connect(str(small.database)) as connection:
        connection.execute(
            "create table gold_layer.shopping_hours as select 987654321 as User_ID, 1 as revenue"
        )
    run("--format", name, "--to", str(tmp_path / "out"))
    assert "shopping_hours: 1 rows, without User_ID" in capsys.readouterr().out
    found = (tmp_path / "out").rglob("*")
    files = [path for path in found if path.is_file() and path.name != MANIFEST]
    assert not any(b"user_id" in file.read_bytes().lower() for file in files)


def test_a_wrong_format_lists_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    run("--format", "xlsx", expect=2)
    error = capsys.readouterr().err
    assert all(f"'{name}'" in error for name in ("parquet", "duckdb", "delta", "iceberg", "csv"))


def test_without_a_database_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path / "none"))
    run("--format", "csv", expect=2)
    assert "there is no database yet; create one by `make run`" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_without_gold_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    duckdb.connect(str(home.database)).close()
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path))
    run("--format", "csv", expect=2)
    assert "has no table of gold yet: build it by `make run`" in capsys.readouterr().err


def test_two_exports_do_not_write_the_same_folder(home: Home, tmp_path: Path) -> None:
    from export.folder import written_beside

    with (
        written_beside(tmp_path / "target"),
        pytest.raises(UserError, match="another export is writing it"),
        written_beside(tmp_path / "target"),
    ):
        pass


def test_check_of_what_is_no_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--check", str(tmp_path), expect=2)
    assert "has no manifest.json of an export" in capsys.readouterr().err
