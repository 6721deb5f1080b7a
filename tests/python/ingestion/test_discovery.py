"""What a folder holds: links are followed, nothing blocks, nothing is left out silently."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ecommerce import cli
from ingestion.discovery import Landed, discover, expand
from ingestion.local_loader import load
from project.errors import UserError
from project.home import CHECKOUT, claim
from support.dirty_files import Lines
from support.event_files import csv_text, write_parquet, write_zip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path.resolve() / "data"
    data.mkdir()
    return data


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def unread(landed: Landed) -> dict[str, str]:
    return {other.path.name: other.reason for other in landed.unread}


def test_linked_folders_are_followed_once(folder: Path) -> None:
    outside = folder.parent / "outside"
    real = write(outside / "deep" / "a.csv")
    mine = write(folder / "b.csv")
    for name in ("link", "another"):
        (folder / name).symlink_to(outside)
    (folder / "deeper").symlink_to(outside / "deep")
    (folder / "file.csv").symlink_to(real)
    assert discover(folder) == Landed((mine, real), ())


def test_cycles_of_links_end(folder: Path) -> None:
    write(folder.parent / "not_mine.csv")
    mine = write(folder / "in" / "a.csv")
    outside = folder.parent / "outside"
    theirs = write(outside / "b.csv")
    (folder / "in" / "self").symlink_to(".")
    (folder / "in" / "up").symlink_to("..")
    (folder / "in" / "above").symlink_to(folder.parent)
    (folder / "out").symlink_to(outside)
    (outside / "back").symlink_to(folder)
    (folder / "endless.csv").symlink_to("endless.csv")
    landed = discover(folder)
    assert landed.files == (mine, theirs)
    reasons = unread(landed)
    for name in ("self", "up", "above"):
        assert reasons.pop(name) == "links to a folder that holds it, so it is not followed"
    assert "cannot be reached" in reasons.pop("endless.csv")
    assert reasons == {}


def test_a_link_is_read_by_the_name_of_the_link(folder: Path, tmp_path: Path) -> None:
    blob = write(folder.parent / "store" / "5f3a", csv_text(Lines()))
    (folder / "a.csv").symlink_to(blob)
    (folder / "here").symlink_to(blob.parent)
    assert discover(folder) == Landed((blob,), ())
    [file] = load(folder, tmp_path / "shop.duckdb").files
    assert (file.path, file.rows) == (blob, 3)


@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device", "a link"])
def test_what_is_not_a_file_is_named_and_never_opened(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = write(folder / "b.csv")
    # The path of a socket has at most 100 bytes.
    monkeypatch.chdir(folder)
    if kind == "a pipe":
        os.mkfifo("a.csv")
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("a.csv")
    elif kind == "a device":
        Path("a.csv").symlink_to("/dev/zero")
    else:
        Path("a.csv").symlink_to("gone")
    landed = discover(folder)
    assert landed.files == (mine,)
    assert unread(landed)["a.csv"].startswith(f"is {kind}")
    mine.unlink()
    with pytest.raises(UserError, match=rf"a\.csv: is {kind}"):
        discover(folder)


@pytest.mark.parametrize("name", ["notes", "a.csv.1", "a.tsv"])
def test_a_pipe_under_any_name_is_not_opened(folder: Path, name: str) -> None:
    os.mkfifo(folder / name)
    write(folder / "b.csv")
    assert unread(discover(folder)) == {name: "is a pipe, not a file; write its content to a file"}


@pytest.mark.parametrize("command", ["load", "run"])
def test_process_substitution_is_refused(tmp_path: Path, command: str) -> None:
    ecommerce = f"{sys.executable} -m ecommerce {command} --data <(echo x)"
    result = subprocess.run(
        ["bash", "-c", ecommerce],
        cwd=CHECKOUT,
        env=os.environ | {"ECOMMERCE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 2
    assert "is a pipe, not a file, and cannot be read twice; write its content to" in result.stderr
    assert "Traceback" not in result.stderr


def test_everything_else_that_looks_like_data_is_named(folder: Path) -> None:
    new = Lines()
    mine = write(folder / "a.csv", csv_text(new))
    for name in ("a.csv.bz2", "a.csv.1", "a.tsv", "a.xlsx", "a.json", "a.csv.part", "_b.csv"):
        write(folder / name, b"x")
    write(folder / "events.txt", csv_text(new))
    write(folder / "_later" / "c.csv")
    write(folder / ".later" / "c.csv")
    write(folder / "table" / "_delta_log" / "0.json")
    write(folder / "table" / "d.parquet")
    write(folder / "ice" / "metadata" / "v1.metadata.json")
    write(folder / "ice" / "data" / "e.parquet")
    silent = (
        "README.md",
        "._a.csv",
        ".DS_Store",
        ".git/config",
        "_logs/x.log",
        "generated.json",
        "generated_truth.json",
    )
    for name in silent:
        write(folder / name)
    landed = discover(folder)
    assert landed.files == (mine,)
    assert set(unread(landed)) == {
        *("a.csv.bz2", "a.csv.1", "a.tsv", "a.xlsx", "a.json", "a.csv.part", "_b.csv"),
        *("events.txt", "_later", ".later", "table", "ice"),
    }
    assert "Delta table" in unread(landed)["table"]
    assert all(";" in reason or "not followed" in reason for reason in unread(landed).values())


@pytest.mark.parametrize(
    ("log", "title"),
    [
        ("_delta_log/0.json", "a Delta table"),
        (".hoodie/hoodie.properties", "a Hudi table"),
        ("metadata/v1.metadata.json", "an Iceberg table"),
        ("snapshot/EARLIEST", "a Paimon table"),
    ],
)
def test_a_part_of_a_table_with_a_log_is_not_read(folder: Path, log: str, title: str) -> None:
    table = folder.parent / "table"
    write(table / log)
    file = write(table / "data" / "day=1" / "a.parquet")
    for part in (table, table / "data", file.parent, file):
        with pytest.raises(UserError, match=f"(is|belongs to) {title}.*; write its rows to"):
            discover(part)
    mine = write(folder / "a.csv")
    (folder / "link").symlink_to(table / "data")
    landed = discover(folder)
    assert landed.files == (mine,)
    assert f"belongs to {title} in {table}, whose files hold" in unread(landed)["link"]


def test_a_link_into_a_folder_with_a_column_in_its_name_is_not_read(folder: Path) -> None:
    mine = write(folder / "a.csv")
    part = write(folder.parent / "brand=samsung" / "month=10" / "b.csv")
    (folder / "link").symlink_to(part.parent)
    (folder / "link.csv").symlink_to(part)
    landed = discover(folder)
    assert landed.files == (mine,)
    for name in ("link", "link.csv"):
        assert "has the values of brand in the name of the folder" in unread(landed)[name]


def test_data_in_unfinished_files_and_folders_is_named(folder: Path) -> None:
    mine = write(folder / "a.csv")
    for name in (
        *("_old/2019/x.csv", ".backup/2019/10/x.parquet", "_all/.deep/x.csv.gz", "_/brand=a/x.csv"),
        *(".2019-Nov.csv.icloud", ".2019-Nov.csv.Xy12Zz", ".2019-Nov.csv.part"),
        *(".syncthing.2019-Nov.csv.tmp", ".a.parquet.123", ".b.zip.icloud", "_c.csv.gz.tmp"),
        *("Oct.csv.download/Oct.csv", "b.zip.Part/x/b.zip"),
    ):
        write(folder / name)
    silent = (".a.csv.crc", ".~lock.a.csv#", ".a.csv.swp", ".git/a/b", "_b/.c/d.log", "_b/._x.csv")
    for name in silent:
        write(folder / name)
    other = write(folder / "all.download" / "b.csv")
    landed = discover(folder)
    assert landed.files == (mine, other)
    reasons = unread(landed)
    assert set(reasons) == {
        *("Oct.csv.download", "b.zip.Part"),
        *("_old", ".backup", "_all", "_"),
        *(".2019-Nov.csv.icloud", ".2019-Nov.csv.Xy12Zz", ".2019-Nov.csv.part"),
        *(".syncthing.2019-Nov.csv.tmp", ".a.parquet.123", ".b.zip.icloud", "_c.csv.gz.tmp"),
    }
    assert "download" in reasons[".2019-Nov.csv.icloud"]
    assert all(";" in reason for reason in reasons.values())


def test_a_folder_with_a_column_in_its_name_is_not_read(folder: Path, tmp_path: Path) -> None:
    mine = write(folder / "month=10" / "a.csv")
    for name in ("brand=samsung", "event_type=view/brand=x", "Event_Time=2019-10-01"):
        write(folder / name / "part-0.csv", csv_text(Lines()))
    landed = discover(folder)
    assert landed.files == (mine,)
    assert unread(landed) == {
        name: f"has the values of {column} in the name of the folder; write them into its files"
        for name, column in {
            "brand=samsung": "brand",
            "event_type=view": "event_type",
            "Event_Time=2019-10-01": "Event_Time",
        }.items()
    }
    with pytest.raises(UserError, match=r"brand=samsung: has the values of brand in the name"):
        discover(folder / "brand=samsung")
    inner = write(folder / "brand=samsung" / "month=10" / "part-1.csv", csv_text(Lines()))
    for below in (inner, inner.parent):
        with pytest.raises(UserError, match=r"has the values of brand in the name of the folder"):
            discover(below)
    archive = write_zip(folder / "c.zip", {"brand=a/d.csv": csv_text(Lines()), "e.csv": b"x"})
    expanded = expand(discover(archive))
    assert expanded.files == (archive / "e.csv",)
    assert "values of brand" in unread(expanded)["d.csv"]


def test_a_home_of_runs_in_the_folder_is_left_out(folder: Path) -> None:
    mine = write(folder / "a.csv")
    for home in ("home", ".local", "_x/home"):
        claim(folder / home)
        for name in ("landing/b.csv", "ecommerce_analytics_local.duckdb", "target/manifest.json"):
            write(folder / home / name)
    assert discover(folder) == Landed((mine,), ())
    assert discover(folder / "home").files == (folder / "home" / "landing" / "b.csv",)


def test_what_runs_create_is_left_out_where_the_home_is_the_folder(folder: Path) -> None:
    mine = [write(folder / name) for name in ("a.csv", "exports/mine.csv")]
    claim(folder)
    for name in (
        *("ecommerce_analytics_local.duckdb", "ecommerce_analytics_local.duckdb.wal"),
        *("target/manifest.json", "target/run/a.sql", "dashboard/data.parquet", "bench/b.csv"),
        *("dictionary.json", "last_run.json", "duckdb_wasm/x.parquet", "logs/dbt.log"),
    ):
        write(folder / name)
    theirs = write(folder / "landing" / "b.csv")
    other = write(folder / "deep" / "target" / "c.csv")
    assert discover(folder) == Landed((mine[0], other, mine[1], theirs), ())


def test_the_database_below_the_files_is_not_named(folder: Path, tmp_path: Path) -> None:
    mine = write(folder / "a.csv", csv_text(Lines()))
    other = write(folder / "other.duckdb")
    (tmp_path / "link").symlink_to(folder)
    for database in (folder / "shop.duckdb", tmp_path / "link" / "shop.duckdb"):
        for _ in range(2):
            report = load(folder, database)
            assert [file.path for file in report.files] == [mine]
            assert [unread.path for unread in report.skipped] == [other]


def test_folders_of_other_programs_are_left_out(folder: Path) -> None:
    mine = write(folder / "a.csv")
    for name in (
        *(".venv/lib/b.csv", "__pycache__/b.csv", ".git/annex/b.csv", "node_modules/x/b.csv"),
        *(".ipynb_checkpoints/a-checkpoint.csv", "$RECYCLE.BIN/S-1-5/$R1.csv", ".Trash-1000/b.csv"),
        *("env/pyvenv.cfg", "env/share/b.csv", "lib/site-packages/pkg/b.csv"),
    ):
        write(folder / name)
    assert discover(folder) == Landed((mine,), ())


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", ".DS_Store", "a.csv.md5"])
def test_what_systems_keep_beside_data_is_no_data(folder: Path, name: str) -> None:
    mine = write(folder / "a.csv")
    write(folder / name)
    assert discover(folder) == Landed((mine,), ())


def test_the_command_names_what_it_leaves_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "a.csv", csv_text(Lines()))
    write(folder / "b.csv.bz2")
    write_zip(folder / "c.zip", {"d.csv": csv_text(Lines()), "e.tsv": b"x"})
    command = ["load", "--data", str(folder), "--database", str(tmp_path / "shop.duckdb")]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert f"loaded   {folder}/c.zip/d.csv: 3 rows" in printed
    assert f"skipped  {folder}/b.csv.bz2: is compressed with bzip2; decompress it" in printed
    assert f"skipped  {folder}/c.zip/e.tsv: is separated by tabs" in printed
    assert "files: 2 loaded, 2 skipped\n" in printed


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["a.csv.bz2"], "a.csv.bz2: is compressed with bzip2; decompress it: bunzip2"),
        (["a.tsv", "a.xlsx"], "nothing in this folder can be read"),
        (["README.md"], "no .csv, .csv.gz, .csv.zst, .zip or .parquet file in this folder"),
    ],
)
def test_a_folder_with_nothing_to_read_ends_with_an_error(
    folder: Path, tmp_path: Path, names: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in names:
        write(folder / name)
    database = tmp_path / "shop.duckdb"
    assert cli.main(["load", "--data", str(folder), "--database", str(database)]) == 2
    message = capsys.readouterr().err
    assert part in message
    assert all(name in message for name in names if name != "README.md")
    assert not database.exists()


def test_an_archive_with_nothing_to_read_ends_with_an_error(folder: Path, tmp_path: Path) -> None:
    archive = write_zip(folder / "a.zip", {"b.tsv": b"x", "c.parquet": b"x"})
    with pytest.raises(UserError, match=r"a\.zip/b\.tsv: is separated by tabs"):
        load(archive, tmp_path / "shop.duckdb")
    assert not (tmp_path / "shop.duckdb").exists()


@pytest.mark.parametrize("name", ["a.tsv", "a.csv.bz2", "a.csv.1", "a.txt"])
def test_one_file_of_another_format_is_named(folder: Path, name: str) -> None:
    path = write(folder / name)
    with pytest.raises(UserError, match=str(path)) as caught:
        discover(path)
    assert ";" in str(caught.value)


def test_one_file_may_have_the_name_of_an_unfinished_one(folder: Path) -> None:
    path = write(folder / "_a.csv")
    assert discover(path).files == (path,)


def test_archives_and_folders_of_one_name_do_not_collide(folder: Path) -> None:
    new = Lines()
    archive = write_zip(folder / "a.zip", {"in/b.csv": csv_text(new)})
    assert expand(discover(folder)).files == (archive / "in/b.csv",)
    archive.unlink()
    unpacked = write(archive / "in" / "b.csv", csv_text(new))
    assert expand(discover(folder)).files == (unpacked,)


def test_a_parquet_folder_of_spark_is_read(folder: Path) -> None:
    part = folder / "events.parquet" / "part-0000.snappy.parquet"
    part.parent.mkdir()
    write_parquet(part, {})
    write(part.with_name("_SUCCESS"), b"")
    assert discover(folder) == Landed((part,), ())
