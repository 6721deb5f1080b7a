"""`ecommerce erase` in a local home: tables, files, the loader's record, copies, later builds."""

from __future__ import annotations

import resource
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import pytest

from erasure import local
from erasure.landed_files import rewrite
from project.errors import UserError
from project.home import claim
from support.built_gold import built_gold
from support.databricks_runs import WITHOUT_TESTS
from support.event_batches import FIRST, line, write
from support.platform_runs import Home

pytestmark = pytest.mark.slow

USER: Final = 5
# The user's events are one of two files, and all of the third.
FILES: Final = {
    "a.csv": FIRST,
    "b.csv": [line("2019-10-07 08:00:00", user=50, session="s50"), *FIRST[3:5]],
    "c.csv": [line("2019-10-08 08:00:00", user=USER, session="s5")],
}


@pytest.fixture
def loaded(tmp_path: Path) -> Home:
    """A home with bronze only."""
    home = Home(tmp_path)
    for name, lines in FILES.items():
        write(tmp_path / "files" / name, lines)
    home.load(tmp_path / "files")
    return home


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A built home of generated events, whose landed files are gone."""
    yield built_gold(tmp_path_factory.mktemp("erase") / "home")


def contents(home: Home) -> dict[str, bytes]:
    files = [home.database, *(home.folder / "files").glob("*")]
    return {file.name: file.read_bytes() for file in files}


def test_a_dry_run_changes_no_byte(loaded: Home) -> None:
    before = contents(loaded)
    out = loaded.run("erase", "--user", str(USER), "--dry-run").stdout
    assert contents(loaded) == before
    assert [row.split() for row in out.splitlines()] == [
        ["2", "rows", "bronze_layer.events_raw"],
        ["1", "lines", str(loaded.folder / "files" / "a.csv")],
        ["1", "lines", str(loaded.folder / "files" / "c.csv")],
        ["dry", "run:", "nothing", "was", "changed"],
    ]


def test_an_unknown_user_is_refused(loaded: Home) -> None:
    before = contents(loaded)
    err = loaded.run("erase", "--user", "4711", expect=2).stderr
    assert "user 4711: no row in any of the 1 tables" in err
    assert contents(loaded) == before


def test_a_number_in_unreadable_lines_alone_is_no_user(loaded: Home) -> None:
    # Products of others: a line cut off, one with a field too many, and one without a user.
    broken = loaded.folder / "files" / "d.csv"
    lines = [
        "2019-10-09 08:00:00 UTC,view,26700103",
        line("2019-10-09 08:00:00", product=26700103) + ",more",
        line("2019-10-09 08:00:00", user=61).replace(",61,", ",26700103.5,"),
        line("2019-10-09 08:00:00", product=26700103, user=61),
    ]
    write(broken, lines)
    loaded.load(broken.parent)
    before = contents(loaded)
    for more in ([], ["--dry-run"]):
        err = loaded.run("erase", "--user", "26700103", *more, expect=2).stderr
        first, *files, last = err.splitlines()
        assert first.startswith("error: user 26700103: no row has this user, and lines whose")
        assert [file.split() for file in files] == [["3", "lines", str(broken)]]
        assert "if they are the user's, run again with --unreadable-lines: nothing was" in last
        assert contents(loaded) == before
    confirmed = ("erase", "--user", "26700103", "--unreadable-lines")
    assert "3 rows" in loaded.run(*confirmed, "--dry-run").stdout
    assert contents(loaded) == before
    loaded.run(*confirmed)
    assert broken.read_text().splitlines()[1:] == [lines[3]]
    assert loaded.query("select user_id from bronze_layer.events_raw where product_id > 100") == [
        (61,)
    ]


def test_unreadable_lines_are_those_of_a_user_with_a_row(loaded: Home) -> None:
    broken = loaded.folder / "files" / "d.csv"
    # A row of the user that breaks a rule is one, too.
    rejected = line("not a time", user=62)
    other = line("2019-10-09 08:00:00", user=61)
    write(broken, [f"cut off,view,{USER}", rejected, "cut off,view,62", other])
    loaded.load(broken.parent)
    for user in (USER, 62):
        loaded.run("erase", "--user", str(user))
    assert broken.read_text().splitlines()[1:] == [other]


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("name", ["a.csv", "2019/a.csv", "2019/a.zip/10/a.csv"])
def test_a_copied_or_moved_home_has_its_files_elsewhere(
    tmp_path: Path, name: str, is_kept: bool
) -> None:
    first = Home(tmp_path / "first")
    claim(first.folder)
    file = first.folder / "landing" / name.partition("/10/")[0]
    write(file, FIRST)
    if file.suffix == ".zip":
        text = file.read_bytes()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("10/a.csv", text)
    first.load(first.folder / "landing")
    second = Home(tmp_path / "second")
    shutil.copytree(first.folder, second.folder)
    if not is_kept:
        shutil.rmtree(first.folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    err = second.run("erase", "--user", str(USER), expect=2).stderr
    named = (
        f"is in another home, {first.folder}, which" if is_kept else "move it back, or the whole"
    )
    assert f"{file}" in err
    assert named in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_moved_home_that_has_loaded_its_files_again_can_be_erased(tmp_path: Path) -> None:
    first, second = Home(tmp_path / "first"), Home(tmp_path / "second")
    write(first.folder / "landing" / "a.csv", FIRST)
    first.load(first.folder / "landing")
    first.folder.rename(second.folder)
    second.load(second.folder / "landing")
    second.run("erase", "--user", str(USER))
    left = (second.folder / "landing" / "a.csv").read_text().splitlines()
    assert left[1:] == [row for row in FIRST if f",{USER}," not in row]


def test_without_a_database_nothing_can_be_erased(tmp_path: Path) -> None:
    assert "no database" in Home(tmp_path).run("erase", "--user", "5", expect=2).stderr
    assert not [*tmp_path.iterdir()]


def test_a_copy_that_somebody_made_is_found(loaded: Home) -> None:
    with duckdb.connect(str(loaded.database)) as connection:
        connection.execute("create schema mine")
        connection.execute(
            "create table mine.kept as select user_id as USER_ID from range(9) t(user_id)"
        )
    loaded.run("erase", "--user", str(USER))
    assert (USER,) not in loaded.query("select * from mine.kept")
    assert len(loaded.query("select * from mine.kept")) == 8


@pytest.mark.parametrize("site", ["dashboard", ".dashboard.old"])
def test_gold_of_pages_that_are_not_written_again_is_removed(loaded: Home, site: str) -> None:
    # Bronze alone has no pages to write; nor has a home where a test fails on what is rebuilt.
    gold = loaded.folder / site / "sql" / "gold.duckdb"
    gold.parent.mkdir(parents=True)
    gold.write_bytes(b"rows of the user")
    assert f"all of     {gold}" in loaded.run("erase", "--user", str(USER), "--dry-run").stdout
    assert gold.exists()
    loaded.run("erase", "--user", str(USER))
    assert not gold.exists()


def test_a_copy_is_found_whatever_its_name_and_the_type_of_its_users(loaded: Home) -> None:
    copied = '"my ""copies""".select', "main.\"orders of 2019-10, 'all'\""
    with duckdb.connect(str(loaded.database)) as connection:
        connection.execute('create schema "my ""copies"""')
        for copy in copied:
            connection.execute(
                f"create table {copy} as"
                " select cast(user_id as varchar) as user_id, price from bronze_layer.events_raw"
                " union all select 'a test', null union all select null, null"
            )
    [(rows,)] = loaded.query(f"select count(*) from {copied[0]}")
    loaded.run("erase", "--user", str(USER))
    for copy in copied:
        assert loaded.query(f"select count(*) from {copy}") == [(rows - 2,)]
        assert loaded.query(f"select count(*) from {copy} where user_id = '{USER}'") == [(0,)]


def test_a_vacuum_without_room_leaves_no_copy(
    loaded: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECOMMERCE_HOME", str(loaded.folder))
    before = contents(loaded)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before[loaded.database.name]) // 2, hard))
    try:
        with pytest.raises(UserError):
            local.vacuum()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(loaded) == before
    assert not [path for path in loaded.folder.iterdir() if "vacuumed" in path.name]


def test_a_dry_run_of_the_vacuum_is_refused(loaded: Home) -> None:
    before = contents(loaded)
    assert "--dry-run belongs to" in loaded.run("erase", "--vacuum", "--dry-run", expect=2).stderr
    assert contents(loaded) == before


def test_erased_lines_do_not_come_back(loaded: Home) -> None:
    files = loaded.folder / "files"
    untouched = (files / "b.csv").stat()
    loaded.run("erase", "--user", str(USER))
    rows = "select * exclude (_ingested_at) from bronze_layer.events_raw order by all"
    kept = loaded.query(rows)
    assert len(kept) == sum(map(len, FILES.values())) - 2
    assert (files / "b.csv").stat() == untouched
    assert "3 already_loaded" in loaded.run("load", "--data", str(files)).stdout
    assert loaded.query(rows) == kept
    # From nothing, as after a loss of the database.
    loaded.database.unlink()
    loaded.load(files)
    assert loaded.query(rows) == kept


def test_lines_in_an_archive_do_not_come_back(loaded: Home) -> None:
    files = loaded.folder / "archived"
    text = (loaded.folder / "files" / "a.csv").read_bytes()
    files.mkdir()
    with zipfile.ZipFile(files / "archive.zip", "w") as archive:
        archive.writestr("2019/a.csv", text)
    loaded.load(files)
    out = loaded.run("erase", "--user", str(USER)).stdout
    assert "(gone)" not in out
    with zipfile.ZipFile(files / "archive.zip") as archive:
        left = archive.read("2019/a.csv")
    assert left == (loaded.folder / "files" / "a.csv").read_bytes()
    assert left != text
    assert "1 already_loaded" in loaded.run("load", "--data", str(files)).stdout


def test_an_erasure_that_died_between_files_and_tables_can_be_repeated(loaded: Home) -> None:
    files = loaded.folder / "files"
    for name in ("a.csv", "c.csv"):
        rewrite(files / name, [files / name], USER)
    loaded.run("erase", "--user", str(USER))
    assert "3 already_loaded" in loaded.run("load", "--data", str(files)).stdout


def test_a_file_that_changed_after_it_was_loaded_stays_reported(loaded: Home) -> None:
    file = loaded.folder / "files" / "a.csv"
    write(file, [*FIRST, line("2019-10-09 08:00:00", user=60)])
    loaded.run("erase", "--user", str(USER))
    assert f",{USER}," not in file.read_text()
    assert "1 changed" in loaded.run("load", "--data", str(file.parent)).stdout


def test_what_was_deleted_is_not_in_the_file_of_the_database(loaded: Home) -> None:
    name = b"a brand that one user has looked at"
    write(loaded.folder / "more" / "d.csv", [line("2019-10-09 08:00:00", brand=name.decode())])
    loaded.load(loaded.folder / "more")
    with duckdb.connect(str(loaded.database)) as connection:
        connection.execute("checkpoint")
    assert name in loaded.database.read_bytes()
    loaded.run("erase", "--user", "1")
    assert name not in loaded.database.read_bytes()


def test_a_built_home_has_nothing_of_the_user_left(built: Home) -> None:
    [(user, revenue, orders)] = built.query(
        "select user_id, revenue, orders from gold_layer.customer_metrics"
        " where orders > 1 and abandoned_carts > 0 order by revenue desc limit 1"
    )
    sessions = [
        session
        for (session,) in built.query(
            f"select session_id from silver_layer.sessions where user_id = {user}"
        )
    ]
    totals = "select sum(revenue), sum(orders) from gold_layer.daily_sales_summary"
    others = f"select * from silver_layer.users_snapshot where user_id <> {user} order by all"
    [before], history = built.query(totals), built.query(others)
    assert len(places(built, str(user))) > 10
    built.run("export", "--format", "duckdb", "--with-personal")
    # Builds with every data test, and fails if one does.
    built.run("erase", "--user", str(user))
    assert places(built, str(user), *sessions) == []
    [(left, orders_left)] = built.query(totals)
    assert (before[0] - left, before[1] - orders_left) == (revenue, orders)
    assert built.query(others) == history
    assert not [*(built.folder / "exports").iterdir()]
    assert not [
        file
        for file in built.folder.rglob("*")
        if file.suffix in (".json", ".log", ".html") and str(user).encode() in file.read_bytes()
    ]
    built.dbt("build", *WITHOUT_TESTS)
    assert places(built, str(user)) == []


def test_an_erasure_that_died_after_the_rows_can_be_repeated(
    built: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(user,)] = built.query("select max(user_id) from gold_layer.customer_metrics")
    built.run("export", "--format", "duckdb", "--with-personal")
    monkeypatch.setenv("ECOMMERCE_HOME", str(built.folder))
    options = {"dry_run": False, "unreadable_lines": False}

    def died() -> list[Path]:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(local, "_copies", died)
        killed.setattr(local, "_show_plan", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            local.erase(user, **options)
    assert places(built, str(user)) == []
    assert [*(built.folder / "exports").iterdir()]
    # That it builds everything is shown above.
    monkeypatch.setattr(local, "_rebuild", lambda _: True)
    assert local.erase(user, **options) == 0
    assert not [*(built.folder / "exports").iterdir()]


def places(home: Home, *texts: str) -> list[str]:
    """Return every table that has one of the texts as a value, in a column of whatever name."""
    with duckdb.connect(str(home.database), read_only=True) as connection:
        columns = connection.execute(
            "select table_schema || '.' || table_name, list(column_name)"
            " from information_schema.columns join information_schema.tables"
            " using (table_schema, table_name) where table_type = 'BASE TABLE' group by all"
        ).fetchall()
        return [
            table
            for table, names in columns
            if connection.execute(
                f"select 1 from {table} where list_has_any("
                f"[{', '.join(f'cast({name} as string)' for name in names)}], ?) limit 1",
                [texts],
            ).fetchall()
        ]
