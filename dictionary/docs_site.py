"""The dbt docs site as one page for people: dbt's own page, with other data and some style.

dbt fills its page with the whole manifest. Here tests, hooks and mask functions are left out, which
would fill the lineage graph, and the descriptions say instead what they hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dictionary.entries import Column, Dictionary, Table
from project.errors import UserError

PLACE_OF_FACTS: Final = "<!-- facts of the last run -->"
"""Comment in `models/overview.md` that the facts of a run replace."""

# Long descriptions are cut to one line, and 18 rows of a table are all that its box shows. What a
# column's constraints and tests hold is in its description.
_STYLE: Final = """<style>
.table-responsive { max-height: none !important; overflow: visible !important; }
.column-row td { vertical-align: top; }
.column-row td:nth-child(3) {
    max-width: none !important; overflow: visible !important; white-space: normal !important;
    width: 100%;
}
.column-row td:nth-child(3) span { display: inline !important; white-space: pre-line; }
.column-row td:first-child { min-width: 140px; max-width: 220px; overflow-wrap: anywhere; }
.column-row td:nth-child(2) { white-space: nowrap; }
.column-row td:nth-child(n+4), .column-row + tr { display: none; }
.table-responsive th:nth-child(n+4) { display: none; }
.panel-body p > table td, .panel-body p > table th { padding: 4px 12px 4px 0; }
#graph-viz-wrapper { background-color: #eef3f6; }
</style>
"""
_COLORS: Final = {
    "gold": "#9a7400",
    "silver": "#66727f",
    "snapshot": "#46525e",
    "intermediate": "#4d7ea8",
    "bronze": "#b0703c",
}
# dbt's page asks for an icon that does not exist.
_ICON: Final = "${require('./assets/favicons/favicon.ico')}"
_HOLDERS: Final = ('"MANIFEST.JSON INLINE DATA"', '"CATALOG.JSON INLINE DATA"')
_LEFT_OUT: Final = ("test", "operation", "unit_test", "function")


def render(target: Path, dictionary: Dictionary, facts: Sequence[tuple[str, str]]) -> str:
    """Return the page for the artifacts in dbt's target folder.

    `facts` are (name, value in Markdown) of the last run, for the overview. Raises UserError where
    dbt's page is not as it was.
    """
    page = (target / "index.html").read_text(encoding="utf-8")
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    catalog = json.loads((target / "catalog.json").read_text(encoding="utf-8"))
    data = (for_people(manifest, dictionary, facts), {**catalog, "errors": None})
    for holder, content in zip(_HOLDERS, data, strict=True):
        if page.count(holder) != 1:
            raise UserError(
                f"{target / 'index.html'}: has no place for {holder}; install the version of dbt"
                " that pyproject.toml names"
            )
        # Within a script, `</` could end it.
        page = page.replace(holder, json.dumps(content, ensure_ascii=False).replace("</", "<\\/"))
    return page.replace(_ICON, "data:,").replace("</head>", f"{_STYLE}</head>", 1)


def for_people(
    manifest: Mapping[str, Any], dictionary: Dictionary, facts: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Return the manifest as the page shows it."""
    package = manifest["metadata"]["project_name"]
    labels = {page.name: page.label for page in dictionary.pages}
    nodes = {
        unique_id: _described(node, dictionary.table(node["name"]), labels)
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] not in _LEFT_OUT
    }
    return {
        **manifest,
        "nodes": nodes,
        "sources": {
            unique_id: _described(source, dictionary.table(source["name"]), labels)
            for unique_id, source in manifest["sources"].items()
        },
        "unit_tests": {},
        "functions": {},
        "disabled": {},
        "child_map": {},
        "macros": {
            unique_id: macro
            for unique_id, macro in manifest["macros"].items()
            if macro["package_name"] == package
        },
        "parent_map": {
            unique_id: [parent for parent in parents if not _is_left_out(parent)]
            for unique_id, parents in manifest["parent_map"].items()
            if not _is_left_out(unique_id)
        },
        "docs": _docs(manifest["docs"], package, facts),
    }


def _is_left_out(unique_id: str) -> bool:
    return unique_id.partition(".")[0] in _LEFT_OUT


def _docs(
    docs: Mapping[str, Any], package: str, facts: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    name = f"doc.{package}.__overview__"
    rows = "".join(f"| {fact} | {value} |\n" for fact, value in facts)
    table = f"| last run | |\n|---|---|\n{rows}" if facts else ""
    overview = docs[name]["block_contents"].replace(PLACE_OF_FACTS, table)
    return {name: {**docs[name], "block_contents": overview}}


def _described(
    node: Mapping[str, Any], table: Table | None, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return a node whose descriptions say what the dictionary knows."""
    depends_on = node.get("depends_on", {})
    parents = [parent for parent in depends_on.get("nodes", []) if not _is_left_out(parent)]
    shown = {**node, "depends_on": {**depends_on, "nodes": parents}}
    if table is None:
        return shown
    own = node["columns"]
    shown["columns"] = {
        column.name: {
            **own.get(column.name, {"name": column.name, "meta": {}, "constraints": []}),
            "description": describe_column(column),
        }
        for column in table.columns
    }
    shown["description"] = describe_table(table, labels)
    docs = {"show": True, "node_color": _COLORS.get(table.layer)}
    return {**shown, "docs": docs, "config": {**node["config"], "docs": docs}}


def describe_table(table: Table, labels: Mapping[str, str]) -> str:
    """Return the description of a table with its key, rows, tests and pages, in Markdown.

    `labels` has what people call each page.
    """
    parts = [table.description]
    facts = [
        ("Key", ", ".join(f"`{name}`" for name in table.key)),
        ("Rows", "" if table.rows is None else f"{table.rows:,}"),
        ("Owner", table.owner),
        ("Pages", ", ".join(labels[page] for page in table.pages)),
        ("Lineage", table.lineage_note),
    ]
    if known := [f"**{name}**: {value}" for name, value in facts if value]:
        parts.append("  \n".join(known))
    for title, texts in (("Tests of every build", table.tests), ("Rules", table.rules)):
        if texts:
            parts.append(f"**{title}**\n\n" + "\n".join(f"* {text}" for text in texts))
    return "\n\n".join(parts)


def describe_column(column: Column) -> str:
    """Return the description of a column with its additivity, tests and lineage.

    The page shows it as plain text, so each subject has a line.
    """
    paragraphs = column.description.split("\n\n")
    lines = [" ".join(text.split()) for text in paragraphs]
    if column.is_personal:
        lines.append("Personal: masked for all but those who may see users.")
    if column.additivity:
        lines.append(column.additivity)
    # The conditions of whole rows stand with the table.
    if tests := [text for text in column.tests if not text.startswith("`")]:
        lines.append(f"Always: {', '.join(tests)}.")
    if column.comes_from:
        source = "Same as" if column.is_copy else "From"
        lines.append(f"{source} {_first(column.comes_from)}.")
    if column.lineage_note:
        lines.append(column.lineage_note)
    if column.feeds:
        lines.append(f"Feeds {_first(column.feeds)}.")
    return "\n".join(lines).replace("`", "")


def _first(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
