"""The AI/BI dashboard and the Genie space: their files, their format, and the figures they show."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import duckdb
import pytest
import yaml

from project.home import CHECKOUT
from project.questions import read_questions
from support.built_gold import built_gold
from support.databricks_runs import CATALOG, PIPELINE, running_warehouse
from support.platform_runs import Home
from workspace.ai_bi import DASHBOARD, METRIC_VIEWS, rendered
from workspace.bundle import deployed, read_bundle

Json = dict[str, Any]

# What exported dashboards have: the version of each kind of widget, and the fields that it shows.
VERSIONS: Final = {"counter": 2, "table": 2, "line": 3, "bar": 3}
ENCODINGS: Final = {
    "counter": {"value"},
    "table": {"columns"},
    "line": {"x", "y", "color"},
    "bar": {"x", "y", "color"},
}
EXPRESSION: Final = re.compile(r"`\w+`|SUM\(`\w+`\)")
VIEWS: Final = CHECKOUT / "models" / "gold" / "metric_views"


def test_the_files_are_those_of_their_definitions() -> None:
    for path, text in rendered().items():
        message = f"{path.name} is not of its definition: make ai-bi"
        assert path.read_text("utf-8") == text, message


# ---- format ----


@pytest.fixture
def dashboard() -> Json:
    found: Json = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def faults(dashboard: Json) -> list[str]:
    """Return where a dashboard is not as the editor writes one, or as it would not be drawn."""
    found = [f"key {key}" for key in set(dashboard) ^ {"datasets", "pages"}]
    names = [dataset["name"] for dataset in dashboard["datasets"]]
    used: set[str] = set()
    keys = [page["name"] for page in dashboard["pages"]]
    for dataset in dashboard["datasets"]:
        found += [f"{dataset['name']}: key {k}" for k in set(dataset) ^ _DATASET]
        # Lines are put together as they are.
        found += [
            f"{dataset['name']}: no line end"
            for one in dataset["queryLines"][:-1]
            if one[-1] != "\n"
        ]
        found += [f"{dataset['name']}: two statements"] * any(
            ";" in one for one in dataset["queryLines"]
        )
    for page in dashboard["pages"]:
        found += [f"{page['name']}: key {k}" for k in set(page) ^ _PAGE]
        found += _layout_faults(page)
        for item in page["layout"]:
            widget = item["widget"]
            keys.append(widget["name"])
            if "spec" in widget:
                found += [f"{widget['name']}: {fault}" for fault in _widget_faults(widget)]
                used |= {query["query"]["datasetName"] for query in widget["queries"]}
    found += [f"named twice: {key}" for key in {*keys} if keys.count(key) > 1]
    found += [f"name {key}" for key in keys if not re.fullmatch(r"[\w-]{1,60}", key)]
    return found + [f"dataset {name}" for name in set(names) ^ used]


_DATASET: Final = {"name", "displayName", "queryLines"}
_PAGE: Final = {"name", "displayName", "pageType", "layout"}


def _layout_faults(page: Json) -> list[str]:
    """Every cell of the grid, six wide, has one widget."""
    cells = [
        (x, y)
        for p in (item["position"] for item in page["layout"])
        for x in range(p["x"], p["x"] + p["width"])
        for y in range(p["y"], p["y"] + p["height"])
    ]
    whole = {(x, y) for x in range(6) for y in range(1 + max(y for _, y in cells))}
    return [f"{page['name']}: a gap or an overlap"] * (sorted(cells) != sorted(whole))


def _widget_faults(widget: Json) -> list[str]:
    spec, [query] = widget["spec"], widget["queries"]
    kind, fields = spec["widgetType"], query["query"]["fields"]
    if spec["version"] != VERSIONS.get(kind):
        return [f"{kind} of version {spec['version']}"]
    found = [f"encoding {name}" for name in set(spec["encodings"]) - ENCODINGS[kind]]
    expressions = [field["expression"] for field in fields]
    found += [f"expression {one}" for one in expressions if not EXPRESSION.fullmatch(one)]
    shown = sorted(_shown(spec["encodings"]))
    found += ["shows other fields than it asks for"] * (shown != sorted(f["name"] for f in fields))
    # Without a group a chart's query has no GROUP BY and fails.
    is_chart = kind in ("line", "bar")
    found += ["is not grouped"] * (query["query"]["disaggregated"] == is_chart)
    found += ["is not summed"] * (is_chart != any("SUM(" in one for one in expressions))
    return found


def _shown(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "fieldName" in value:
            yield value["fieldName"]
        for item in value.values():
            yield from _shown(item)
    elif isinstance(value, list):
        for item in value:
            yield from _shown(item)


def test_the_dashboard_is_of_the_documented_format(dashboard: Json) -> None:
    assert faults(dashboard) == []
    assert {page["pageType"] for page in dashboard["pages"]} == {"PAGE_TYPE_CANVAS"}


def chart(dashboard: Json) -> Json:
    layout = dashboard["pages"][0]["layout"]
    return next(i["widget"] for i in layout if i["widget"].get("spec", {}).get("version") == 3)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d["datasets"].pop(), "dataset "),
        (lambda d: d["datasets"][0].update(query="select 1"), "key query"),
        (lambda d: d["datasets"][0]["queryLines"].insert(0, "select 1;"), "two statements"),
        (lambda d: d["pages"][0]["layout"].pop(), "dataset "),
        (lambda d: d["pages"][0]["layout"][1]["position"].update(x=1), "a gap or an overlap"),
        (lambda d: d["pages"][0]["layout"][1]["widget"].update(name="a b"), "name a b"),
        (lambda d: chart(d)["spec"].update(version=2), "of version 2"),
        (lambda d: chart(d)["spec"]["encodings"]["x"].update(fieldName="day"), "other fields"),
        (lambda d: chart(d)["queries"][0]["query"].update(disaggregated=True), "not grouped"),
    ],
)
def test_a_planted_fault_is_found(
    dashboard: Json, change: Callable[[Json], object], fault: str
) -> None:
    planted = copy.deepcopy(dashboard)
    change(planted)
    assert any(fault in found for found in faults(planted)), faults(planted)


def test_the_pages_are_those_of_the_static_site(dashboard: Json) -> None:
    page = (CHECKOUT / "docs" / "dashboard.md").read_text("utf-8")
    listed = re.findall(r"^\| (\w[\w ]+) \| (.+\?) \|$", page, re.M)
    # A page's text is a heading and its question; Trust has less to answer without silver.
    shown = {
        p["displayName"]: "".join(p["layout"][0]["widget"]["multilineTextboxSpec"]["lines"])
        for p in dashboard["pages"]
    }
    assert [*shown] == [title for title, _ in listed if title not in ("Dictionary", "SQL")]
    for title, question in listed:
        if title in shown and title != "Trust":
            assert shown[title] == f"## {title}\n\n{question}"


def test_no_query_needs_what_its_readers_do_not_see(dashboard: Json) -> None:
    """Analysts read no silver, and users are null to them: counts of users would be 0."""
    for dataset in dashboard["datasets"]:
        query = "".join(dataset["queryLines"])
        assert not re.search(r"user_id|session_id|silver_layer|visitor_metrics", query), dataset


# ---- in the bundle ----


def test_the_bundle_shows_it_where_its_metric_views_are() -> None:
    root = read_bundle(CHECKOUT)
    for target in root["targets"]:
        resources = deployed(root, target)["resources"]
        has_views = target in ("staging", "prod")
        assert ("dashboards" in resources) == ("genie_spaces" in resources) == has_views
        if has_views:
            [shown] = resources["dashboards"].values()
            # The CLI refuses run_as beside it, and every viewer would see the publisher's rows.
            assert shown["embed_credentials"] is False
            assert shown["dataset_catalog"] == f"ecommerce_analytics_{target}"


# ---- figures ----


@dataclass(frozen=True)
class Answers:
    """The rows of every dataset, from a warehouse and from DuckDB."""

    warehouse: dict[str, list[tuple[Any, ...]]]
    duckdb: dict[str, list[tuple[Any, ...]]]
    columns: dict[str, list[str]]
    home: Home


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    home = built_gold(tmp_path_factory.mktemp("ai_bi"))
    views = metric_views(home)
    found: Json = json.loads(DASHBOARD.read_text("utf-8"))
    queries = {
        d["name"]: without_measures("".join(d["queryLines"]), views) for d in found["datasets"]
    }
    read = {table for sql in queries.values() for table in re.findall(r"gold_layer\.(\w+)", sql)}
    with (
        duckdb.connect(str(home.database), read_only=True) as connection,
        running_warehouse() as warehouse,
    ):
        connection.execute("set timezone = 'UTC'")
        for table in sorted(read):
            columns = ", ".join(
                f"cast({name} as timestamptz) as {name}" if kind == "TIMESTAMP" else name
                for name, kind, *_ in connection.execute(f"describe gold_layer.{table}").fetchall()
            )
            rows = connection.sql(f"select {columns} from gold_layer.{table}")
            warehouse.load(f"{CATALOG}.gold_layer.{table}", rows.to_arrow_table(), PIPELINE)
        sent = {name: warehouse.execute(sql, PIPELINE, CATALOG) for name, sql in queries.items()}
        local = {name: connection.execute(sql).fetchall() for name, sql in queries.items()}
    yield Answers(
        {name: [tuple(row.values()) for row in table.to_pylist()] for name, table in sent.items()},
        local,
        {name: table.column_names for name, table in sent.items()},
        home,
    )


def metric_views(home: Home) -> dict[str, Json]:
    """Return the metric views by name, compiled from the text of their models."""
    texts = "\n---\n".join((VIEWS / f"{name}.sql").read_text("utf-8") for name in METRIC_VIEWS)
    output = home.dbt("--quiet", "compile", "--inline", texts).stdout
    return dict(zip(METRIC_VIEWS, yaml.safe_load_all(output), strict=True))


def without_measures(sql: str, views: dict[str, Json]) -> str:
    """Return a query of a metric view as one of its source, since no engine here has them."""
    for name, view in views.items():
        if f"gold_layer.{name}" not in sql:
            continue
        sql = sql.replace(f"gold_layer.{name}", view["source"].partition(".")[2])
        for measure in view["measures"]:
            sql = sql.replace(f"measure({measure['name']})", measure["expr"])
        for dimension in view["dimensions"]:
            sql = re.sub(rf"\b{dimension['name']}\b", dimension["expr"], sql)
    assert "measure(" not in sql
    return sql


def alike(value: Any) -> Any:
    """Engines differ in the type of a quotient and in its last digits."""
    if isinstance(value, (float, Decimal)):
        number = float(value)
        return float(f"{number:.4g}") if abs(number) < 1 else round(number, 2)
    return str(value)[:10] if hasattr(value, "isoformat") else value


@pytest.mark.warehouse
def test_every_figure_is_that_of_gold(answers: Answers) -> None:
    assert len(answers.warehouse) > 30
    for name, rows in answers.warehouse.items():
        expected = answers.duckdb[name]
        assert [[*map(alike, row)] for row in rows] == [[*map(alike, r)] for r in expected], name
        # Few enough to be drawn.
        assert len(rows) <= 1000, name


@pytest.mark.warehouse
def test_the_measures_add_up_to_the_marts(answers: Answers) -> None:
    [expected] = answers.home.query(
        "select sum(revenue), sum(orders), sum(sessions) from gold_layer.daily_sales_summary"
    )
    assert answers.warehouse["ai_bi_shop"][0][:3] == expected
    months = answers.warehouse["ai_bi_months"]
    assert sum(row[1] for row in months) == expected[0] and len(months) > 1


@pytest.mark.warehouse
def test_every_widget_shows_columns_of_its_query(answers: Answers, dashboard: Json) -> None:
    for page in dashboard["pages"]:
        for item in page["layout"]:
            for query in item["widget"].get("queries", []):
                asked = query["query"]
                columns = re.findall(r"`(\w+)`", " ".join(f["expression"] for f in asked["fields"]))
                dataset = answers.columns[asked["datasetName"]]
                assert set(columns) <= set(dataset), item["widget"]["name"]
                rows = answers.duckdb[asked["datasetName"]]
                assert item["widget"]["spec"]["widgetType"] != "counter" or len(rows) == 1


# ---- Genie ----


def test_genie_knows_every_question(manifest: Json) -> None:
    resources = deployed(read_bundle(CHECKOUT), "prod")["resources"]
    space = resources["genie_spaces"]["shop"]["serialized_space"]
    questions = read_questions()
    asked = space["config"]["sample_questions"]
    titles = [[q.title] for q in questions]
    assert [one["question"] for one in asked] == titles, "run `make ai-bi`"
    gold = "ecommerce_analytics_prod.gold_layer."
    examples = space["instructions"]["example_question_sqls"]
    assert [one["sql"][0].replace(gold, "gold_layer.") for one in examples] == [
        q.sql for q in questions
    ]
    for listed in (asked, examples, space["instructions"]["text_instructions"]):
        ids = [one["id"] for one in listed]
        assert ids == sorted(set(ids))
        assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
    models = {node["name"] for node in manifest["nodes"].values() if "gold" in node["schema"]}
    for sources in space["data_sources"].values():
        names = [source["identifier"] for source in sources]
        assert names == sorted(set(names))
        # At most 25 tables, as documented.
        assert len(names) <= 25
        known = {*models, *(path.stem for path in VIEWS.glob("*.sql"))}
        assert {name.removeprefix(gold) for name in names} <= known
