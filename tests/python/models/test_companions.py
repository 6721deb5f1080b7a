"""What belongs beside a mart, a metric, an alert, a rule, a segment: a failure names where it goes.

All of it is read from files and the manifest, so that `make check` finds an omission.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import pytest

from dashboard.formats import Kind
from dictionary import lineage
from governance.access_policy import load
from project.home import CHECKOUT
from project.variables import project_variables
from project.yml import read_yml
from support.companions import require, rule_names

Json = dict[str, Any]
DESIGN: Final = "docs/medallion_design.md"
TEST_OF_ALERTS: Final = "tests/python/workspace/test_alerts.py"
# A single row of sums, a filter of one column, and code in Python, which dbt cannot unit-test.
WITHOUT_UNIT_TEST: Final = {"silver_totals", "released_files", "customer_lifetime_value"}


def models(manifest: Json, schema: str = "") -> Iterator[Json]:
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["schema"].startswith(schema):
            yield node


def marts(manifest: Json) -> set[str]:
    return {node["name"] for node in models(manifest, "gold_layer")}


def text(path: str) -> str:
    return (CHECKOUT / path).read_text("utf-8")


def listed(path: str, heading: str) -> list[str]:
    """Return the names in the first column of the table that follows a heading."""
    [table] = re.findall(rf"{re.escape(heading)}.*?\n\n(\|.*?)\n\n", text(path) + "\n", re.DOTALL)
    cells = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    return re.findall(r"[`[](\w+)[`\]]", " ".join(cells))


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("README.md", "## The gold tables"),
        ("models/overview.md", "<!-- facts of the last run -->"),
        ("docs/medallion_design.md", "## Gold: the marts"),
    ],
)
def test_each_page_lists_every_mart(manifest: Json, path: str, heading: str) -> None:
    require(listed(path, heading), marts(manifest), f"the table of marts in {path}")


def test_every_mart_has_a_group_and_its_tag(manifest: Json) -> None:
    for node in models(manifest, "gold_layer"):
        assert node["group"], f"{node['name']} has no group: add it below `gold` in dbt_project.yml"
        assert node["group"] in node["tags"], f"{node['name']}: tag it by its group's anchor"


def test_tools_read_every_mart(manifest: Json) -> None:
    [one] = [page for page in manifest["exposures"].values() if page["name"] == "export"]
    read = {manifest["nodes"][name]["name"] for name in one["depends_on"]["nodes"]}
    require(read, marts(manifest), "`&marts` in models/exposures.yml")


def test_every_model_has_a_unit_test(manifest: Json) -> None:
    tested = {unit_test["model"] for unit_test in manifest["unit_tests"].values()}
    expected = {node["name"] for node in models(manifest)} - WITHOUT_UNIT_TEST
    require(tested, expected, "`unit_tests` in the yml beside the models")


def test_every_metric_says_what_its_number_is_and_is_on_its_page(manifest: Json) -> None:
    metrics = {metric["name"]: metric for metric in manifest["metrics"].values()}
    for name, metric in metrics.items():
        meta = metric["config"].get("meta", {})
        assert "adds_up_over" in meta and meta.get("shown_as") in get_args(Kind), (
            f"metric {name} in models/metrics/ has a meta without `adds_up_over`, or without"
            f" `shown_as` with one of {get_args(Kind)}"
        )
    found = re.findall(r"^\| `(\w+)` \| ", text("docs/metrics.md"), re.MULTILINE)
    require(found, metrics, "docs/metrics.md")


def test_every_alert_is_declared_compiled_explained_and_tested() -> None:
    folder = CHECKOUT / "analyses" / "alerts"
    alerts = {path.stem for path in folder.glob("*.sql")}
    described = {one["name"] for one in read_yml(folder / "alerts.yml")["analyses"]}
    require(described, alerts, "analyses/alerts/alerts.yml")
    compiled = read_yml(CHECKOUT / "resources" / "alert_queries.yml")["variables"]
    require(
        {name.removeprefix("alert_") for name in compiled},
        alerts,
        "resources/alert_queries.yml, which `make alerts` writes,",
    )
    declared = read_yml(CHECKOUT / "resources" / "alerts.yml")["targets"]["dev"]["resources"]
    require(declared["alerts"], alerts, "resources/alerts.yml")
    explained = re.findall(r"\| query \| `analyses/alerts/(\w+)\.sql`", text("docs/operations.md"))
    require(explained, alerts, '"Alerts" in docs/operations.md')
    tested = re.findall(r"^def test_(\w+)\(", text(TEST_OF_ALERTS), re.MULTILINE)
    require({*tested} & alerts, alerts, f"{TEST_OF_ALERTS}, by test_<name>,")


def test_every_rejection_rule_is_documented() -> None:
    found = listed(DESIGN, "**Rules**")
    require(found, {*rule_names(), "duplicate"}, f'"Rules" in {DESIGN}')


@pytest.mark.parametrize(
    ("name", "heading"),
    [("user_segments", "**Segments**"), ("rfm_segments", "**RFM segments**")],
)
def test_every_segment_has_its_place_in_the_order(name: str, heading: str) -> None:
    """A condition that the var does not list makes no segment."""
    defined = re.findall(r"^ +'(\w+)': ", text(f"macros/definitions/{name}.sql"), re.MULTILINE)
    require(project_variables()[name], defined, f"var {name} in dbt_project.yml")
    require(listed(DESIGN, heading), defined, f"the table of segments in {DESIGN}")


def test_every_personal_column_is_tagged_masked_and_in_the_access_policy(manifest: Json) -> None:
    classes = {name: one.name for one in load().classes for name in one.columns}
    for node in models(manifest):
        # A view takes no mask: the access policy says who reads it.
        if node["config"]["materialized"] in ("ephemeral", "view", "metric_view"):
            continue
        for name, column in node["columns"].items():
            where = f"{node['original_file_path']}: column {name}"
            keys = {**column["config"], **column}
            tag = (keys.get("databricks_tags") or {}).get("personal")
            assert tag == classes.get(name), (
                f"{where} has the tag personal: {tag}, and in governance/access_policy.yml the"
                f" class {classes.get(name)}: give it the same in both"
            )
            assert (tag is not None) == bool(keys.get("column_mask")), (
                f"{where}: a column has both a tag `personal` and a `column_mask`, or neither"
            )


def test_a_copy_of_a_personal_column_is_personal() -> None:
    """Masks, exports and an erasure know personal columns by their names."""
    classes = {name: one.name for one in load().classes for name in one.columns}
    copies = [
        (f"{model}.{name}", sources.columns[0])
        for model, found in lineage.read().items()
        for name, sources in (found.columns or {}).items()
        if sources.is_copy
    ]
    assert any(source.partition(".")[2] in classes for _, source in copies)
    for column, source in copies:
        of_source, of_copy = (classes.get(one.partition(".")[2]) for one in (source, column))
        assert of_source in (None, of_copy), (
            f"{column} is a copy of {source}: keep the name, or add it to the class {of_source}"
            " of governance/access_policy.yml"
        )
