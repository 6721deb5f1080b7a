"""The dictionary: of a few nodes, where each rule shows, and of the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from dashboard.pages import dictionary as page
from dictionary import build, entries, lineage
from dictionary.entries import Dictionary, Table
from dictionary.lineage import ModelLineage, Sources
from project.errors import UserError
from project.variables import project_variables
from support.small_manifest import manifest, node

# Columns of gold for which the SQL reads none: a count of rows, and a calendar of constants.
OF_ROWS: Final = {
    "brand_switching.switches",
    "monthly_visitors.average_daily_visitors",
    "monthly_visitors.days",
    "monthly_visitors.visitor_days",
    "shopping_hours.weekday",
    "shopping_hours.hour",
}


def model_lineage(
    columns: dict[str, tuple[str, ...]], *, copies: bool = False, rows: tuple[str, ...] = ()
) -> ModelLineage:
    sources = {name: Sources(of, is_copy=copies) for name, of in columns.items()}
    return ModelLineage(rows, sources, names=tuple(columns))


def table(dictionary: Dictionary, name: str) -> Table:
    found = dictionary.table(name)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def project(request: pytest.FixtureRequest) -> Dictionary:
    found = request.getfixturevalue("manifest")
    return build.build(found, lineage.read(), project_variables())


@pytest.fixture(scope="module")
def through_an_ephemeral_model() -> Dictionary:
    return build.build(
        manifest(
            node("events", {"user": {}, "price": {}, "kind": {}}),
            node(
                "daily", {"revenue": {}, "orders": {}}, reads=("events",), materialized="ephemeral"
            ),
            node("summary", {"revenue": {}, "orders": {}}, reads=("daily",), layer="gold"),
        ),
        {
            "events": model_lineage({"user": ("raw.user",), "price": (), "kind": ()}),
            "daily": model_lineage(
                {"revenue": ("events.price",), "orders": ()}, rows=("events.kind",)
            ),
            "summary": model_lineage(
                {"revenue": ("daily.revenue",), "orders": ("daily.orders",)}, copies=True
            ),
        },
        {},
    )


def test_sources_are_columns_of_stored_tables(through_an_ephemeral_model: Dictionary) -> None:
    summary = table(through_an_ephemeral_model, "summary")
    revenue, orders = summary.columns
    assert revenue.comes_from == ["events.price"]
    assert not revenue.is_copy, "the model between computes it"
    assert orders.comes_from == ["events.*"], "the model between counts rows"
    assert summary.upstream == ["events"]
    assert summary.row_sources == ["events.kind"], "the model between filters by it"


def test_what_a_column_feeds_is_the_opposite(through_an_ephemeral_model: Dictionary) -> None:
    events = table(through_an_ephemeral_model, "events")
    assert [column.feeds for column in events.columns] == [[], ["summary.revenue"], []]
    assert events.downstream == ["summary"]
    daily = table(through_an_ephemeral_model, "daily")
    assert not daily.is_stored
    assert daily.columns[0].feeds == ["summary.revenue"]


def test_coverage_counts_columns_of_stored_tables(through_an_ephemeral_model: Dictionary) -> None:
    coverage = through_an_ephemeral_model.coverage
    # Of events no column has a known source: its parent is not in the project.
    assert (coverage.columns, coverage.with_sources) == (5, 2)
    assert (coverage.gold_columns, coverage.gold_with_sources) == (2, 2)


def test_a_table_with_rows_of_another_has_its_columns_and_sources() -> None:
    masked: dict[str, Any] = {"column_mask": {"function": "mask"}, "description": "Masked."}
    dictionary = build.build(
        manifest(
            node("events", {"id": {}, "user": {"databricks_tags": {"personal": "true"}}}),
            node("replaced", {"user": masked, "batch": {}}, meta={"row_of": "events"}),
        ),
        {"replaced": model_lineage({"id": (), "user": (), "batch": ()})},
        {},
    )
    columns = {column.name: column for column in table(dictionary, "replaced").columns}
    assert list(columns) == ["id", "user", "batch"]
    assert columns["id"].description == "The id."
    assert (columns["id"].comes_from, columns["id"].lineage) == (["events.id"], "declared")
    assert columns["user"].description == "Masked."
    assert columns["user"].is_personal
    assert not columns["id"].is_personal
    assert table(dictionary, "replaced").row_of == "events"


def test_where_code_is_python_the_lineage_is_that_of_the_table() -> None:
    dictionary = build.build(
        manifest(
            node("buyers", {"id": {}}),
            node("scores", {"score": {}}, reads=("buyers",), language="python"),
        ),
        {"scores": ModelLineage(rows=(), columns=None, names=("score",))},
        {},
    )
    scores = table(dictionary, "scores")
    assert (scores.lineage, scores.upstream) == ("table", ["buyers"])
    assert "Python" in scores.lineage_note
    assert "Python" in scores.columns[0].lineage_note
    assert "scores" in dictionary.coverage.tables_without


def test_a_model_without_recorded_lineage_names_the_command() -> None:
    dictionary = build.build(manifest(node("new", {"id": {}})), {}, {})
    assert "`make lineage`" in table(dictionary, "new").columns[0].lineage_note


def test_the_owner_of_a_table_is_that_of_its_group() -> None:
    groups = {
        f"group.shop.{name}": {"name": name, "owner": owner}
        for name, owner in (
            ("sessions", {"name": "Conversion analysts", "email": None}),
            ("sales", {"name": None, "email": "sales@shop.example"}),
        )
    }
    dictionary = build.build(
        manifest(
            node("funnel", group="sessions"),
            node("orders", config={"materialized": "table", "group": "sales", "meta": {}}),
            node("events", group=None),
            groups=groups,
        ),
        {},
        {},
    )
    owners = {found.name: found.owner for found in dictionary.tables}
    assert owners == {"funnel": "Conversion analysts", "orders": "sales@shop.example", "events": ""}


def test_a_page_reads_tables_also_through_metrics_and_ephemeral_models() -> None:
    page = {
        "name": "sales_page",
        "label": "Sales",
        "type": "dashboard",
        "url": None,
        "description": "",
        "owner": {"name": "Shop team", "email": None},
        "depends_on": {"nodes": ["metric.shop.revenue", "model.shop.daily"]},
    }
    dictionary = build.build(
        manifest(
            node("events", {"price": {}}),
            node("orders", {"revenue": {}}),
            node("daily", reads=("events",), materialized="ephemeral"),
            exposures={"exposure.shop.sales_page": page},
            metrics={
                "metric.shop.revenue": {"depends_on": {"nodes": ["semantic_model.shop.orders"]}}
            },
            semantic_models={
                "semantic_model.shop.orders": {"depends_on": {"nodes": ["model.shop.orders"]}}
            },
        ),
        {},
        {},
    )
    [found] = dictionary.pages
    assert (found.label, found.tables, found.owner) == ("Sales", ["events", "orders"], "Shop team")
    assert table(dictionary, "orders").pages == ["sales_page"]


def test_the_digest_of_code_ignores_comments_and_follows_macros() -> None:
    def digest(code: str, macro: str = "1") -> str:
        macros = {
            "macro.shop.one": {
                "package_name": "shop",
                "macro_sql": macro,
                "depends_on": {"macros": []},
            }
        }
        reads = {"macros": ["macro.shop.one"], "nodes": []}
        model = node("events", raw_code=code, depends_on=reads)
        return table(build.build(manifest(model, macros=macros), {}, {}), "events").sql

    code = "select a\nfrom b"
    assert digest(code) == digest("select a -- why\n  from b {# and\nso on #}")
    assert digest(code) != digest("select a, c from b")
    assert digest(code) != digest(code, macro="2")


def test_every_table_and_column_of_the_project_is_explained(project: Dictionary) -> None:
    assert {t.layer for t in project.stored()} >= {"gold", "silver", "snapshot", "bronze"}
    for found in project.stored():
        assert found.grain.startswith("One row per "), found.name
        assert found.columns, found.name
        for column in found.columns:
            assert column.description, f"{found.name}.{column.name}"
            assert "{{" not in column.description + " ".join(column.tests)
            assert column.type, f"{found.name}.{column.name}"
            assert column.comes_from or column.lineage_note or column.lineage == "source"


def test_nine_of_ten_columns_and_all_of_gold_have_their_sources(project: Dictionary) -> None:
    coverage = project.coverage
    assert coverage.share >= 0.9
    gold = [t for t in project.stored() if t.layer == "gold"]
    without = {
        f"{t.name}.{c.name}"
        for t in gold
        for c in t.columns
        if c.lineage not in ("columns", "declared")
    }
    # A new table is not in the recorded lineage yet.
    assert without <= OF_ROWS, f"no source of {sorted(without - OF_ROWS)}: run `make lineage`"
    assert coverage.gold_columns - coverage.gold_with_sources == len(without)
    assert coverage.gold_columns > 100


def test_every_source_is_a_column_of_the_project(project: Dictionary) -> None:
    columns = {f"{t.name}.{c.name}" for t in project.stored() for c in t.columns}
    rows = {f"{t.name}.*" for t in project.stored()}
    for found in project.tables:
        for column in found.columns:
            assert set(column.comes_from) <= columns | rows, f"{found.name}.{column.name}"
            assert set(column.feeds) <= columns, f"{found.name}.{column.name}"
        assert set(found.row_sources) <= columns | rows, found.name


def test_a_known_column_of_the_project(project: Dictionary) -> None:
    sessions = table(project, "conversion_funnel").column("sessions")
    assert sessions is not None
    assert sessions.additivity == "Adds up over `event_date`, within one value of `category_l1`."
    assert "never null" in sessions.tests
    personal = {f"{t.name}.{c.name}" for t in project.stored() for c in t.columns if c.is_personal}
    assert "orders.user_id" in personal
    assert "daily_sales_summary.buyers" not in personal


def test_the_file_is_read_as_it_was_written(project: Dictionary, tmp_path: Any) -> None:
    text = entries.to_json(project)
    file = tmp_path / "dictionary.json"
    file.write_text(text, "utf-8")
    assert entries.read(file) == project
    assert entries.to_json(entries.read(file)) == text


def test_every_link_of_the_dictionary_page_leads_somewhere(
    project: Dictionary, tmp_path: Path
) -> None:
    file = tmp_path / "dictionary.json"
    file.write_text(entries.to_json(project), "utf-8")
    html = page.build(file).extra
    targets, links = (set(re.findall(rf'{name}="#?([^"]+)"', html)) for name in ("id", "href"))
    assert len(links) > 100
    assert links <= targets


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no dictionary"),
        ('{"format": 0}', "format 0, not 1"),
        ('{"format": 1}', "is not a dictionary"),
        ("[", "is not a dictionary"),
        ("[]", "is not a dictionary"),
    ],
)
def test_a_file_that_is_none_is_a_user_error(text: str | None, message: str, tmp_path: Any) -> None:
    file = tmp_path / "dictionary.json"
    if text is not None:
        file.write_text(text, "utf-8")
    with pytest.raises(UserError, match=f"{message}; write it by `make run`"):
        entries.read(file)
