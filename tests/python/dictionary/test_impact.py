"""What a change reaches, on sample changes of a few nodes and of the project."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dictionary import build, impact, lineage
from dictionary.entries import Dictionary
from dictionary.impact import Impact
from dictionary.lineage import ModelLineage, Sources
from project.errors import UserError
from project.variables import project_variables
from support.small_manifest import manifest, node

PAGE: Any = {
    "name": "sales_page",
    "label": "Sales",
    "type": "dashboard",
    "url": None,
    "description": "",
    "owner": {"name": "Shop team"},
    "depends_on": {"nodes": ["model.shop.summary"]},
}
BASE = manifest(
    node("events", {"user": {}, "price": {}, "kind": {}}),
    node("daily", {"revenue": {}}, reads=("events",), materialized="ephemeral"),
    node("summary", {"revenue": {}, "days": {}}, reads=("daily",), layer="gold"),
    node("users", {"user": {}}, reads=("events",), layer="gold"),
    exposures={"exposure.shop.sales_page": PAGE},
)


def of(project: dict[str, Any]) -> Dictionary:
    recorded = {
        "events": ModelLineage((), {}, ()),
        "daily": ModelLineage(("events.kind",), {"revenue": Sources(("events.price",))}, ()),
        "summary": ModelLineage((), {"revenue": Sources(("daily.revenue",))}, ()),
        "users": ModelLineage((), {"user": Sources(("events.user",))}, ()),
    }
    return build.build(project, recorded, {})


def changed(change: Callable[[dict[str, Any]], object]) -> tuple[Impact, str]:
    project = copy.deepcopy(BASE)
    change(project["nodes"])
    found = impact.compare(of(BASE), of(project))
    return found, impact.to_markdown(found, of(project))


def test_without_a_change_nothing_is_reached() -> None:
    found, text = changed(lambda _: None)
    assert not found.changes
    assert "No table, column or description changes." in text


def test_a_changed_type_reaches_columns_through_ephemeral_models_and_their_pages() -> None:
    found, text = changed(
        lambda nodes: nodes["model.shop.events"]["columns"]["price"].update(data_type="double")
    )
    assert found.columns == {"summary": ["revenue"]}
    assert found.pages == ["Sales"]
    assert "| `events` | type: `price` |" in text
    assert "| `summary` (gold) | `revenue` |" in text
    assert "Pages: Sales." in text
    assert "users" not in text


def test_a_column_that_no_page_reads_reaches_none() -> None:
    found, text = changed(
        lambda nodes: nodes["model.shop.events"]["columns"]["user"].update(description="Else.")
    )
    assert (found.columns, found.pages) == ({"users": ["user"]}, [])
    assert "description: `user`" in text
    assert "Pages: none that the project declares." in text


def test_a_removed_column_reaches_what_read_it() -> None:
    found, _ = changed(lambda nodes: nodes["model.shop.events"]["columns"].pop("price"))
    assert [dict(change.columns) for change in found.changes] == [{"price": "removed"}]
    assert found.columns == {"summary": ["revenue"]}
    assert found.pages == ["Sales"]


def test_a_column_of_a_filter_reaches_the_rows() -> None:
    found, text = changed(
        lambda nodes: nodes["model.shop.events"]["columns"]["kind"].update(data_type="string")
    )
    assert found.columns == {}
    assert found.rows == ["summary"]
    assert "Rows filtered or joined by what changed: `summary`." in text
    assert found.pages == ["Sales"]


def test_code_of_an_ephemeral_model_reaches_its_readers() -> None:
    found, text = changed(lambda nodes: nodes["model.shop.daily"].update(raw_code="select 2"))
    assert [(change.table, change.what) for change in found.changes] == [("daily", "code")]
    assert found.columns == {"summary": ["revenue"]}
    assert found.rows == ["summary"]
    assert "| `daily` | its code: every column may have other values |" in text


def test_tables_come_and_go() -> None:
    def change(nodes: dict[str, Any]) -> None:
        del nodes["model.shop.users"]
        nodes["model.shop.days"] = node("days", {"day": {}})

    found, text = changed(change)
    changes = {change.table: change.what for change in found.changes}
    assert changes == {"days": "new", "users": "removed"}
    assert "| `days` | new, 1 column |" in text
    assert "| `users` | removed, 1 column |" in text


def test_a_sample_change_of_the_project(request: pytest.FixtureRequest) -> None:
    before = request.getfixturevalue("manifest")
    after = copy.deepcopy(before)
    column = after["nodes"]["model.ecommerce_analytics.sessions"]["columns"]["first_purchase_at"]
    column["description"] = "Local time of the first purchase."
    base, head = (
        build.build(found, lineage.read(), project_variables()) for found in (before, after)
    )
    found = impact.compare(base, head)
    assert [(c.table, dict(c.columns)) for c in found.changes] == [
        ("sessions", {"first_purchase_at": "description"})
    ]
    assert {"order_date", "ordered_at", "order_number"} <= set(found.columns["orders"])
    assert "revenue" not in found.columns["orders"]
    text = impact.to_markdown(found, head)
    assert "| `sessions` | description: `first_purchase_at` |" in text
    # The longest comment that GitHub takes.
    assert len(text) < 65_536


def test_a_base_that_is_no_commit_is_a_user_error() -> None:
    with pytest.raises(UserError, match="no-such-commit: is no commit here; fetch it"):
        impact.dictionary_at("no-such-commit")


def test_the_base_is_read_as_it_is_in_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, outside = tmp_path / "shop", tmp_path / "outside.sql"
    outside.write_text("{{ config(materialized='ephemeral') }} select 2 as number")
    (shop / "models").mkdir(parents=True)
    (shop / "dbt_project.yml").write_text("{name: shop, profile: shop, vars: {gap: 30}}")
    (shop / "profiles.yml").write_text(
        "shop: {target: local, outputs: {local: {type: duckdb, schema: silver_layer}}}"
    )
    (shop / "models" / "events.sql").write_text("select 1 as number")
    (shop / "models" / "events.yml").write_text("models: [{name: events, description: Before.}]")
    (shop / "models" / "linked.sql").symlink_to(outside)
    git(shop, "init", "--quiet")
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message=shop")
    (shop / "models" / "events.yml").write_text("models: [{name: events, description: After.}]")
    (shop / "models" / "more.sql").write_text("select 3 as number")
    git(shop, "add", "models/more.sql")
    before = git(shop, "status", "--porcelain")
    monkeypatch.setattr(impact, "CHECKOUT", shop)
    found = impact.dictionary_at("HEAD")
    # A link of a commit is not followed, as it may lead out of the folder.
    assert {(table.name, table.description, table.is_stored) for table in found.tables} == {
        ("events", "Before.", True),
        ("linked", "", True),
    }
    assert git(shop, "status", "--porcelain") == before


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    result = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return result.stdout
