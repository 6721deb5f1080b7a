"""`ecommerce erase` on a warehouse: no row of the user stays, and no build brings one back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from ecommerce.cli import main
from erasure.databricks import Place
from erasure.statements import Rows
from ingestion.file_load import Status
from ingestion.judged_files import BOOKS, JudgedFile, write_books
from project.errors import UserError
from support.built_platform import DEPLOYER, Platform, built_platform
from support.databricks_runs import CATALOG, PIPELINE, WITHOUT_TESTS
from support.event_batches import line, write
from warehouse.ledger import Relation
from warehouse.sql_text import quote

pytestmark = pytest.mark.warehouse

# A very important buyer with a history, one with orders too, one with a rejected line only.
BUYER, OTHER, REJECTED = 1, 2, 7
ERASE: Final = ("erase", "--target", "dev")
BOOKS_OF_DEV: Final = f"/Volumes/{CATALOG}/bronze_layer/checkpoints/events_raw/{BOOKS}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with built_platform(tmp_path_factory.mktemp("erasure")) as built:
        [(path,)] = built.home.query("select path from bronze_layer.loaded_files")
        warehouse = built.dev.warehouse
        landed = Path(path.replace(".unfinished", "")).read_bytes()
        book = JudgedFile(path, len(landed), 0, Status.LOADED, text=path, is_passed=True)
        books = tmp_path_factory.mktemp("checkpoint")
        write_books(books, {path: book})
        warehouse.volume_files |= {path: landed, BOOKS_OF_DEV: (books / BOOKS).read_bytes()}
        yield built


@pytest.fixture(autouse=True)
def connected(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(platform, monkeypatch, PIPELINE)
    # Connections closed by the client would make the server's threads write to the same stderr.
    monkeypatch.setattr(ThreadingHTTPServer, "handle_error", lambda *_: None)


def sign_in(platform: Platform, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    warehouse = platform.dev.warehouse
    monkeypatch.setenv("DATABRICKS_HOST", warehouse.host)
    monkeypatch.setenv("DATABRICKS_HTTP_PATH", warehouse.http_path)
    monkeypatch.setenv("DATABRICKS_TOKEN", warehouse.token(who))


def stored(platform: Platform) -> list[Relation]:
    relations = platform.dev.warehouse.ledger.relations.values()
    return [relation for relation in relations if not relation.is_view]


def tables_with(platform: Platform, user: int) -> set[str]:
    """Return the tables that have the number of a user in some column, whatever its name."""
    found = set()
    for relation in stored(platform):
        rows = platform.dev.warehouse.read(quote(relation.key))
        is_of_users = {c.name for c in relation.columns if "user" in c.name.lower()}
        for name in is_of_users & set(rows.column_names):
            if str(user) in {str(value) for value in rows.column(name).to_pylist()}:
                found.add(relation.key[2])
    return found


def contents(platform: Platform) -> dict[str, object]:
    """Return what a dry run must not change: the folder of each table's version, and the files."""
    versions = {relation.key[2]: relation.folder for relation in stored(platform)}
    return versions | dict(platform.dev.warehouse.volume_files)


def test_a_dry_run_counts_and_changes_nothing(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(platform)
    assert main([*ERASE, "--user", str(BUYER), "--dry-run"]) == 0
    assert contents(platform) == before
    out = capsys.readouterr().out
    counted = {line.split()[2]: line.split()[0] for line in out.splitlines() if " rows " in line}
    assert counted["bronze_layer.events_raw"] == "5"
    assert counted["silver_layer.users_snapshot"] == "1"
    assert counted["silver_layer.events_quarantined"] == "0"
    listed = {name.rpartition(".")[2] for name, number in counted.items() if number != "0"}
    assert listed == tables_with(platform, BUYER)


def test_an_unknown_user_is_refused(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(platform)
    assert main([*ERASE, "--user", "987654321"]) == 2
    assert "user 987654321: no row in any of the" in capsys.readouterr().err
    assert contents(platform) == before


def test_a_target_that_is_not_there_asks_for_no_other_sign_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for action in (["--user", str(BUYER)], ["--vacuum"]):
        assert main(["erase", "--target", "staging", *action]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ecommerce_analytics_staging: [")
        assert error.endswith("; deploy and build target staging, or correct --target\n")
    monkeypatch.setenv("BUNDLE_VAR_catalog", "mine")
    assert main([*ERASE, "--user", str(BUYER)]) == 2
    assert capsys.readouterr().err.startswith("error: mine: [")


def test_a_number_in_unreadable_lines_alone_is_no_user(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["cut off,view,26700103", line("2019-11-30 17:00:00", product=26700103, user=6)]
    write(tmp_path / "broken.csv", lines)
    platform.load(tmp_path)
    before = contents(platform)
    for more in ([], ["--dry-run"]):
        assert main([*ERASE, "--user", "26700103", *more]) == 2
        first, file, last = capsys.readouterr().err.splitlines()
        assert first.startswith("error: user 26700103: no row has this user, and lines whose")
        assert file.split() == ["1", "lines", str(tmp_path / "broken.csv")]
        assert "if they are the user's, run again with --unreadable-lines" in last
        assert contents(platform) == before
    assert main([*ERASE, "--user", "26700103", "--unreadable-lines", "--dry-run"]) == 0
    assert "1 rows   bronze_layer.events_raw" in capsys.readouterr().out


def test_who_sees_masked_users_cannot_erase(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # In no group, but may do everything.
    warehouse = platform.dev.warehouse
    warehouse.add_principal("contractor", ())
    warehouse.execute(f"grant all privileges on catalog {CATALOG} to contractor", DEPLOYER)
    sign_in(platform, monkeypatch, "contractor")
    before = contents(platform)
    assert main([*ERASE, "--user", str(BUYER)]) == 2
    assert "policies hide users from you" in capsys.readouterr().err
    assert contents(platform) == before


def test_an_erased_user_is_nowhere_and_nothing_is_built_on_the_sums(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = platform.dev
    sign_in(platform, monkeypatch, "platform_admin")
    assert tables_with(platform, REJECTED) >= {"events_quarantined"}
    for user in (BUYER, REJECTED):
        assert main([*ERASE, "--user", str(user)]) == 0
        assert tables_with(platform, user) == set()
    books = dev.warehouse.volume_files.pop(BOOKS_OF_DEV)
    [file] = dev.warehouse.volume_files.values()
    # The loader would fail at a file of another size, as one that changed after it was loaded.
    assert json.loads(books)["size"] == len(file)
    lines = file.decode().splitlines()
    assert not [line for line in lines if line.split(",")[-2] in (str(BUYER), str(REJECTED))]
    assert len(lines) == 1 + 18 - 5 - 1
    purged = {e.text.split()[2] for e in dev.warehouse.statements("REORG")}
    assert f"{CATALOG}.bronze_layer.events_raw" in purged
    # A full refresh after it is what test_erase.py has, from the same macros.
    refused = dev.dbt("build", *WITHOUT_TESTS, expect=2).stdout
    assert "a user was erased, and no full refresh has ended since" in refused
    assert tables_with(platform, OTHER) >= {"users_snapshot", "customer_metrics"}
    assert main([*ERASE, "--vacuum"]) == 0
    assert len(dev.warehouse.statements("VACUUM")) >= len(purged)


def test_an_erasure_that_died_before_files_were_rewritten_goes_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(platform, monkeypatch, "platform_admin")
    bronze = f"{CATALOG}.bronze_layer.events_raw"
    query = Place.query

    def stopped(place: Place, statement: str) -> Rows:
        if statement.startswith(f"reorg table {bronze}"):
            raise UserError("the warehouse was stopped")
        return query(place, statement)

    monkeypatch.setattr(Place, "query", stopped)
    assert main([*ERASE, "--user", str(OTHER)]) == 2
    assert tables_with(platform, OTHER) == set()
    monkeypatch.setattr(Place, "query", query)
    purged = len(platform.dev.warehouse.statements("REORG", matching=bronze))
    # A dry run goes by rows, so that a mistyped user is still found by it.
    assert main([*ERASE, "--user", str(OTHER), "--dry-run"]) == 2
    capsys.readouterr()
    assert main([*ERASE, "--user", str(OTHER)]) == 0
    assert f"user {OTHER}: no row was left; files are rewritten" in capsys.readouterr().out
    assert len(platform.dev.warehouse.statements("REORG", matching=bronze)) == purged + 1
