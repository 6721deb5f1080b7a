"""The data that dbt's own page shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import dbt.task.docs
import pytest

from dictionary import build, docs_site, lineage
from dictionary.entries import Dictionary
from project.errors import UserError
from project.home import CHECKOUT
from project.variables import project_variables

PAGE: Final = Path(dbt.task.docs.__file__).with_name("index.html")
OVERVIEW: Final = "doc.ecommerce_analytics.__overview__"


@pytest.fixture(scope="module")
def dictionary(manifest: dict[str, Any]) -> Dictionary:
    rows = {"gold_layer.orders": 1234}
    return build.build(manifest, lineage.read(), project_variables(), rows=rows)


@pytest.fixture(scope="module")
def shown(manifest: dict[str, Any], dictionary: Dictionary) -> dict[str, Any]:
    return docs_site.for_people(manifest, dictionary, [("As of", "2019-11-30")])


def test_the_lineage_has_no_tests_hooks_and_mask_functions(shown: dict[str, Any]) -> None:
    parents = {parent for found in shown["parent_map"].values() for parent in found}
    of_graph = {*shown["nodes"], *shown["parent_map"], *parents}
    kinds = {unique_id.partition(".")[0] for unique_id in of_graph}
    assert {"model", "snapshot", "source"} <= kinds
    assert not kinds & {"test", "unit_test", "operation", "function"}
    assert not shown["unit_tests"]
    assert not shown["functions"]
    staged = "model.ecommerce_analytics.events_staged"
    assert shown["parent_map"][staged] == ["source.ecommerce_analytics.bronze_layer.events_raw"]
    assert shown["nodes"][staged]["depends_on"]["nodes"] == shown["parent_map"][staged]


def test_descriptions_say_key_rows_tests_and_rules(shown: dict[str, Any]) -> None:
    text = shown["nodes"]["model.ecommerce_analytics.orders"]["description"]
    assert text.startswith("One row per order, which is a session with at least one purchase.")
    assert "**Key**: `session_id`" in text
    assert "**Rows**: 1,234" in text
    assert "* `products <= units`" in text
    [pages] = re.findall(r"\*\*Pages\*\*: (.+)", text)
    assert {"Overview", "Sales"} <= set(pages.split(", "))
    assert "dashboard_" not in pages
    title = "* Orders of a buyer are numbered by time and session id. "
    assert f"{title}Each buyer's orders count from 1" in text


def test_columns_say_where_they_come_from(shown: dict[str, Any]) -> None:
    columns = shown["nodes"]["model.ecommerce_analytics.orders"]["columns"]
    assert columns["units"]["description"].splitlines() == [
        "Number of purchase events, which is the number of pieces bought.",
        "Adds up over all rows.",
        "Always: never null.",
        "Same as sessions.purchases.",
    ]
    assert "Personal: masked" in columns["user_id"]["description"]
    # A table with rows of another model lists only its own columns in its yml.
    changes = shown["nodes"]["model.ecommerce_analytics.event_changes"]["columns"]
    assert changes["price"]["description"].startswith("Price of one piece")


def test_the_overview_has_the_facts_of_the_run(shown: dict[str, Any]) -> None:
    assert docs_site.PLACE_OF_FACTS in (CHECKOUT / "models" / "overview.md").read_text("utf-8")
    text = shown["docs"][OVERVIEW]["block_contents"]
    assert "| As of | 2019-11-30 |" in text
    assert docs_site.PLACE_OF_FACTS not in text


def write(target: Path, page: str, manifest: dict[str, Any]) -> None:
    (target / "index.html").write_text(page, "utf-8")
    (target / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (target / "catalog.json").write_text('{"nodes": {}, "sources": {}}', "utf-8")


def test_the_page_of_dbt_takes_the_data(
    manifest: dict[str, Any], dictionary: Dictionary, tmp_path: Path
) -> None:
    page = PAGE.read_text("utf-8")
    write(tmp_path, page, manifest)
    text = docs_site.render(tmp_path, dictionary, [("Note", "</script><b>")])
    assert "INLINE DATA" not in text
    assert "max-height: none" in text
    # The rule that cuts descriptions, which the style overrides.
    assert "text-overflow: ellipsis; overflow-x: hidden; white-space: nowrap;" in page
    # What is data must not end the script.
    assert text.count("</script>") == page.count("</script>")
    assert "favicon.ico" not in text


def test_another_page_of_dbt_is_a_user_error(
    manifest: dict[str, Any], dictionary: Dictionary, tmp_path: Path
) -> None:
    write(tmp_path, "<html></html>", manifest)
    with pytest.raises(UserError, match=r"index\.html: has no place for .*MANIFEST"):
        docs_site.render(tmp_path, dictionary, [])
