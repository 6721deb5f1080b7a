"""The access policy is validated strictly, and its truth table covers everything."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from governance.access_policy import POLICY_FILE, Cell, Expected, cells, load, relations
from project.errors import UserError

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def table(manifest: dict[str, Any]) -> dict[tuple[str, str, str | None], Expected]:
    return {(c.persona, c.relation, c.column): c.expected for c in cells(load(), manifest)}


def node(kind: str, schema: str, name: str, *columns: str, **config: Any) -> dict[str, Any]:
    named = {"name": name, "alias": name, "identifier": name}
    return {
        **named,
        "resource_type": kind,
        "database": config.pop("database", "shop"),
        "schema": schema,
        "columns": dict.fromkeys(columns),
        "config": {"materialized": "table"} | config,
    }


def manifest_of(*nodes: dict[str, Any], sources: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "nodes": {str(i): n for i, n in enumerate(nodes)},
        "sources": {str(i): n for i, n in enumerate(sources)},
    }


def test_every_persona_has_a_cell_for_every_relation_and_column(
    manifest: dict[str, Any], table: dict[tuple[str, str, str | None], Expected]
) -> None:
    policy, found = load(), relations(manifest)
    expected = {
        (persona, relation.full_name, column)
        for persona in policy.personas
        for relation in found
        for column in (None, *relation.columns)
    }
    assert set(table) == expected
    made = [
        n
        for n in manifest["nodes"].values()
        if n["resource_type"] in ("model", "snapshot")
        and n["config"]["materialized"] != "ephemeral"
    ]
    of_sources = {relation.full_name for relation in found if relation.kind == "source"}
    assert of_sources == {
        "bronze_layer.events_raw",
        "silver_layer.run_history",
        "silver_layer.test_history",
    }
    assert len(found) == len(made) + len(of_sources) > 25


@pytest.mark.parametrize(
    ("persona", "relation", "column", "expected"),
    [
        ("pipeline", "gold_layer.customer_metrics", None, "all"),
        ("platform_admin", "bronze_layer.events_raw", "user_session", "clear"),
        ("data_engineer", "silver_layer.events_staged", "raw_user_session", "clear"),
        ("data_engineer", "silver_layer.events_quarantined", "_rescued_data", "clear"),
        ("data_scientist", "bronze_layer.events_raw", None, "refused"),
        ("data_scientist", "silver_layer.events_staged", "price", "refused"),
        ("data_scientist", "silver_layer.users_snapshot", None, "all"),
        ("data_scientist", "silver_layer.sessions", "user_id", "clear"),
        ("data_scientist", "silver_layer.events_cleaned", "user_session", "masked"),
        ("business_analyst", "intermediate_layer.hourly_activity", None, "refused"),
        ("business_analyst", "gold_layer.customer_metrics", None, "all"),
        ("business_analyst", "gold_layer.customer_metrics", "user_id", "masked"),
        ("business_analyst", "gold_layer.customer_metrics", "revenue", "clear"),
        ("segment_analyst", "gold_layer.customer_metrics", None, frozenset({"vip"})),
        ("segment_analyst", "gold_layer.product_performance", None, "all"),
        ("segment_analyst", "silver_layer.users_dim", None, "refused"),
    ],
)
def test_cells_are_as_agreed(
    table: dict[tuple[str, str, str | None], Expected],
    persona: str,
    relation: str,
    column: str | None,
    expected: Expected,
) -> None:
    assert table[persona, relation, column] == expected


def test_a_persona_without_groups_sees_nothing(
    table: dict[tuple[str, str, str | None], Expected],
) -> None:
    assert {e for (persona, *_), e in table.items() if persona == "outsider"} == {"refused"}


def test_ephemeral_models_and_sources_of_other_databases_are_excluded() -> None:
    found = relations(
        manifest_of(
            node("model", "gold_layer", "mart", "id"),
            node("model", "gold_layer", "inlined", materialized="ephemeral"),
            node("test", "gold_layer", "unique_mart"),
            sources=(
                node("source", "bronze_layer", "raw"),
                node("source", "access", "audit", database="system"),
            ),
        )
    )
    assert [(r.full_name, r.kind, r.columns) for r in found] == [
        ("bronze_layer.raw", "source", ()),
        ("gold_layer.mart", "table", ("id",)),
    ]


# Columns that are personal in these relations, and all others that the policy names.
ELSEWHERE = {"_rescued_data", "raw_user_session"}
PERSONAL = chain.from_iterable(
    names["names"] for names in yaml.safe_load(POLICY_FILE.read_text("utf-8"))["columns"].values()
)
SMALL = manifest_of(
    node("model", "silver_layer", "events_staged", *(n for n in PERSONAL if n not in ELSEWHERE)),
    node("model", "silver_layer", "silver_totals", "bronze_rows"),
    node("model", "silver_layer", "unaccounted_files", "_source_file"),
    node("model", "silver_layer", "users_dim", "user_segment", "_rescued_data"),
    node("snapshot", "silver_layer", "users_snapshot", "user_segment", "raw_user_session"),
    node("model", "gold_layer", "customer_metrics", "user_segment"),
    sources=(node("source", "silver_layer", "run_history", "node"),),
)


def changed(tmp_path: Path, edit: Edit) -> Path:
    content = yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8"))
    edit(content)
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


FAULTS: dict[str, tuple[Edit, str]] = {
    "unknown key": (lambda p: p.update(masks={}), "policy.yml: unknown key masks"),
    "missing key": (lambda p: p.pop("layers"), "layers is missing"),
    "unknown key below": (
        lambda p: p["personas"]["outsider"].update(group=[]),
        "personas.outsider: unknown key group",
    ),
    "unknown reader": (
        lambda p: p["layers"]["gold_layer"].append("intern"),
        "layers.gold_layer: intern is not declared",
    ),
    "unknown reader of an exception": (
        lambda p: p["exceptions"]["silver_layer.events_staged"].update(readers=["intern"]),
        "exceptions.silver_layer.events_staged.readers: intern is not declared",
    ),
    "unknown persona of a class": (
        lambda p: p["columns"]["user_id"]["clear"].append("intern"),
        "columns.user_id.clear: intern is not declared",
    ),
    "unknown segment": (
        lambda p: p["personas"]["segment_analyst"].update(segments=["gold"]),
        "personas.segment_analyst.segments: gold is not declared",
    ),
    "no list": (
        lambda p: p["personas"]["pipeline"].update(groups="ecommerce_pipeline"),
        "personas.pipeline.groups: is not a list",
    ),
    "name twice": (
        lambda p: p["layers"]["bronze_layer"].append("pipeline"),
        "layers.bronze_layer: has a name twice",
    ),
    "column in two classes": (
        lambda p: p["columns"]["personal_text"]["names"].append("user_id"),
        "columns: user_id is in two classes",
    ),
    "exception without effect": (
        lambda p: p["exceptions"]["silver_layer.users_dim"].pop("rows_by"),
        "exceptions.silver_layer.users_dim: changes nothing",
    ),
    "exception without a reason": (
        lambda p: p["exceptions"]["silver_layer.users_dim"].update(why=" "),
        "exceptions.silver_layer.users_dim.why: is empty",
    ),
    "no mapping": (lambda p: p.update(columns=["user_id"]), "columns: is not a mapping"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_file_is_reported_with_its_place(tmp_path: Path, fault: str) -> None:
    edit, message = FAULTS[fault]
    with pytest.raises(UserError) as raised:
        load(changed(tmp_path, edit))
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_not_yaml_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    path.write_text("a: [1\nb: 2", encoding="utf-8")
    with pytest.raises(UserError, match=r"policy\.yml: not a readable policy"):
        load(path)
    with pytest.raises(UserError, match=r"missing\.yml: not a readable policy"):
        load(tmp_path / "missing.yml")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda p: p["layers"].pop("gold_layer"), "does not cover schema gold_layer"),
        (
            lambda p: p["exceptions"].update({"gold_layer.sales": {"why": "?", "readers": []}}),
            r"exceptions\.gold_layer\.sales: no such relation",
        ),
        (
            lambda p: p["exceptions"]["silver_layer.users_dim"].update(rows_by="segment"),
            "has no column segment",
        ),
        (
            lambda p: p["columns"]["user_id"]["names"].append("users_id"),
            "no relation has a column users_id",
        ),
    ],
    ids=["layer", "exception", "rows_by", "column"],
)
def test_a_policy_that_does_not_match_the_relations_is_rejected(
    tmp_path: Path, edit: Edit, message: str
) -> None:
    policy = load(changed(tmp_path, edit))
    with pytest.raises(UserError, match=message):
        cells(policy, SMALL)


def test_readers_of_an_exception_replace_those_of_the_layer(tmp_path: Path) -> None:
    def only_no_group(policy: dict[str, Any]) -> None:
        policy["exceptions"]["silver_layer.events_staged"]["readers"] = ["outsider"]

    found = cells(load(changed(tmp_path, only_no_group)), SMALL)
    staged = [c for c in found if c.relation == "silver_layer.events_staged"]
    assert Cell("outsider", "silver_layer.events_staged", "user_id", "masked") in staged
    assert {c.expected for c in staged if c.persona != "outsider"} == {"refused"}
