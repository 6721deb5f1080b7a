"""`ecommerce databricks probe` asks a workspace for every belief, and leaves nothing behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from ecommerce.cli import main
from project.errors import UserError
from project.home import CHECKOUT
from support.databricks_runs import CATALOG, PIPELINE, running_warehouse
from support.system_tables import plant_events
from warehouse.server import ANSWERS, Warehouse
from workspace import probe as command
from workspace import statements
from workspace.answers import ACCEPTED, NOT_AVAILABLE, Answers, as_text, read_answers
from workspace.beliefs import PROBES, Probe, described
from workspace.client import connect

NAMES = [probe.name for probe in PROBES]


@pytest.fixture(scope="module")
def started() -> Iterator[Warehouse]:
    with running_warehouse({"reader": []}) as warehouse:
        plant_events(warehouse)
        yield warehouse


@pytest.fixture
def connected(started: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    monkeypatch.setenv("DATABRICKS_HOST", started.host)
    monkeypatch.setenv("DATABRICKS_HTTP_PATH", started.http_path)
    monkeypatch.setenv("DATABRICKS_TOKEN", started.token(PIPELINE))
    # Connections closed by the client would make the server's threads write to the same stderr.
    monkeypatch.setattr(ThreadingHTTPServer, "handle_error", lambda *_: None)
    before = set(started.ledger.schemas)
    yield started
    assert set(started.ledger.schemas) == before, "the scratch schema is left"


def asked(folder: Path, *arguments: str) -> int:
    return main(
        ["databricks", "probe", "--target", "dev", "--out", str(folder / "out.json"), *arguments]
    )


@pytest.mark.warehouse
def test_the_double_answers_as_believed(
    connected: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(tmp_path) == 0
    found, believed = read_answers(tmp_path / "out.json", NAMES), read_answers(ANSWERS, NAMES)
    assert found.answers == believed.answers
    assert found.facts["pipeline_group"] == "true" and found.facts["runtime"]
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("as believed") for line in lines) == len(PROBES)
    assert lines[-1].startswith(f"{len(PROBES)} probes, 0 different; answers are in ")


@pytest.mark.warehouse
def test_every_wrong_belief_is_named(
    connected: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    believed = tmp_path / "believed.json"
    believed.write_text(as_text(Answers(dict.fromkeys(NAMES, "something else"))), "utf-8")
    assert asked(tmp_path, "--believed", str(believed)) == 1
    lines = capsys.readouterr().out.splitlines()
    different = [line for line in lines if line.startswith("different")]
    assert [re.split(r"[ :]+", line)[1] for line in different] == NAMES
    assert all(line.endswith(", not something else") for line in different)


# Answers of a workspace that the double takes over, and so does whatever the tests build on it.
OTHERS = {
    "session_time_zone": "Europe/Berlin",
    "merge_into_a_protected_table": "refused: SOME.CLASS",
    "overwrite_of_a_protected_table": "refused: SOME.CLASS",
    "replace_on_a_protected_table": "refused: SOME.CLASS",
    "function_replaced_while_it_protects": "refused: SOME.CLASS",
    "function_dropped_while_it_protects": ACCEPTED,
    "policies_after_a_rename": "0, 0",
    "policies_after_create_or_replace": "1, 1",
    "grants_after_create_or_replace": "none",
    "mask_of_a_missing_function": "refused: SOME.CLASS",
    "filter_of_one_column_twice": "refused: SOME.CLASS",
    "time_travel_of_a_protected_table": "refused: SOME.CLASS",
}


@pytest.mark.warehouse
def test_the_double_answers_as_another_workspace_did(
    connected: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(connected.ledger, "answers", dict(connected.ledger.answers) | OTHERS)
    assert asked(tmp_path) == 1
    found = read_answers(tmp_path / "out.json").answers
    assert {name: found[name] for name in OTHERS} == OTHERS
    assert f"{len(PROBES)} probes, {len(OTHERS)} different" in capsys.readouterr().out


@pytest.mark.warehouse
def test_a_missing_feature_is_no_difference(
    connected: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = {"materialized_view": "refused: FEATURE_NOT_ENABLED"}
    monkeypatch.setattr(connected.ledger, "answers", dict(connected.ledger.answers) | missing)
    monkeypatch.delitem(connected.ledger.relations, ("system", "access", "audit"))
    assert asked(tmp_path) == 0
    found = read_answers(tmp_path / "out.json", NAMES).answers
    assert found["materialized_view"] == found["audit_columns"] == NOT_AVAILABLE
    assert "absent       materialized_view: not available\n" in capsys.readouterr().out


@pytest.mark.warehouse
def test_nothing_is_left_after_an_interruption(
    connected: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(rows: object) -> str:
        raise KeyboardInterrupt

    last = Probe("last", "select 1", PROBES[3].given, interrupt)
    monkeypatch.setattr(command, "PROBES", (*PROBES[:5], last))
    with pytest.raises(KeyboardInterrupt):
        command.ask(statements.Warehouse(connect(), "abc"), CATALOG)
    assert connected.journal.select("DROP SCHEMA")


class Expiring(statements.Warehouse):
    """A warehouse whose token expires once the scratch schema is there."""

    def __init__(self) -> None:
        self.schema = ""

    def run(self, statement: str) -> statements.Result:
        if self.schema:
            raise UserError("warehouse abc: the credentials are invalid or have expired")
        self.schema = statement.removeprefix("create schema ")
        return statements.Result()


def test_a_schema_that_cannot_be_dropped_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = Expiring()
    with pytest.raises(UserError, match="have expired"):
        command.ask(warehouse, CATALOG)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{warehouse.schema} is left: warehouse abc: the credentials are")
    assert printed.endswith("; drop it by hand\n")


@pytest.mark.warehouse
def test_a_principal_who_may_not_create_a_schema(
    connected: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", connected.token("reader"))
    assert asked(tmp_path) == 2
    message = capsys.readouterr().err
    assert "INSUFFICIENT_PERMISSIONS" in message and "sign in as one who may create" in message
    assert not (tmp_path / "out.json").exists()


def test_a_description_without_what_a_build_compares() -> None:
    found = {"table_name": "t", "columns": [{"name": "id", "nullable": True}]}
    assert described([[json.dumps(found)]]) == "nothing"


# ---- files of answers ----

GOOD = {"version": 1, "answers": dict.fromkeys(NAMES, "x"), "facts": {}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory; name a file of answers"),
        ("{", "is not JSON"),
        ("[]", "is of version null, and this program reads 1; write it again with"),
        (json.dumps(GOOD | {"version": 2}), "is of version 2, and this program reads 1"),
        (json.dumps(GOOD | {"facts": {"a": 1}}), "answers and facts must be texts by name"),
        (json.dumps(GOOD | {"answers": {"old": "x"}}), "does not fit the probes, by audit_columns"),
    ],
)
def test_a_file_that_is_no_file_of_answers(
    content: str | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "believed.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    assert asked(tmp_path, "--believed", str(file)) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {file}: ") and reason in message
    assert message.count("\n") == 1


def test_the_double_refuses_answers_of_another_version(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(GOOD | {"version": 7}), encoding="utf-8")
    with pytest.raises(UserError, match="is of version 7, and this program reads 1"):
        Warehouse(answers=file)


# ---- the page ----


def beliefs() -> list[list[str]]:
    """Return the rows of the page's table of beliefs, as cells."""
    page = (CHECKOUT / "docs" / "without_a_workspace.md").read_text("utf-8")
    _, _, rest = page.partition("| belief | ")
    _, _, *rows = rest.partition("\n\n")[0].splitlines()
    return [re.split(r" \| ", row.strip("| ")) for row in rows]


def test_each_belief_has_a_probe_or_a_reason() -> None:
    rows = beliefs()
    assert len(rows) > 20 and {len(row) for row in rows} == {4}
    probes = [name for *_, cell in rows for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(probes) == sorted(NAMES)
    for belief, _, _, cell in rows:
        is_reason = not cell.startswith("`") and len(cell.split()) >= 3
        assert cell.startswith("`") or is_reason, belief
