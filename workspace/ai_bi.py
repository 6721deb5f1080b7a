"""Writes the AI/BI dashboard and the Genie space of the bundle: `make ai-bi`.

What is written is committed; a test compares it with its definitions.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from dashboard.tables import read_queries, split_queries
from project.home import CHECKOUT
from project.output import guarded, show
from project.questions import GOLD, read_questions
from project.yml import read_yml

FOLDER: Final = CHECKOUT / "resources" / "ai_bi"
DASHBOARD: Final = FOLDER / "shop.lvdash.json"
SPACE: Final = CHECKOUT / "resources" / "genie_space.yml"
METRIC_VIEWS: Final = tuple(
    sorted(file.stem for file in (CHECKOUT / "models" / "gold" / "metric_views").glob("*.sql"))
)
WIDTH: Final = 6
"""Columns of a page's grid."""
HEIGHTS: Final[Mapping[str, int]] = {"text": 2, "counter": 3, "line": 6, "bar": 6, "table": 8}
VERSIONS: Final[Mapping[str, int]] = {"counter": 2, "line": 3, "bar": 3, "table": 2}
"""Of the specification of each kind of widget, as exported dashboards have them."""

Json = dict[str, Any]

_OWN: Final = "ai_bi"
_SHARE: Final = re.compile("(rate|share|share_of_from_brand|confidence_a_to_b)$")
_PERCENT: Final = {"type": "number-percent", "decimalPlaces": {"type": "max", "places": 1}}
_NUMBER: Final = {"type": "number-plain", "decimalPlaces": {"type": "max", "places": 2}}
_TIMES: Final = ("event_date", "week", "month")
_WRITTEN: Final = "# Written by `make ai-bi`, from the questions of analyses.\n"


def dashboard() -> Json:
    """Return the dashboard as its file has it, without a catalog: the bundle names that."""
    pages = read_yml(FOLDER / "pages.yml")
    built = [_page(page) for page in pages]
    used = {widget["of"] for page in pages for row in page["rows"] for widget in row}
    return {"datasets": [_dataset(name) for name in sorted(used)], "pages": built}


def _dataset(name: str) -> Json:
    page, _, query = name.partition(".")
    lines = _queries(page)[query].splitlines(keepends=True)
    return {"name": _key(name), "displayName": f"{page}: {query}", "queryLines": lines}


def _queries(page: str) -> Mapping[str, str]:
    known = (
        split_queries((FOLDER / "queries.sql").read_text("utf-8"))
        if page == _OWN
        else read_queries(page)
    )
    return {name: query.sql for name, query in known.items()}


def _key(name: str) -> str:
    return re.sub("[^a-z0-9]+", "_", name.lower())


def _page(page: Json) -> Json:
    key = _key(page["title"])
    text = {"lines": [f"## {page['title']}\n", "\n", page["question"]]}
    layout = [_placed({"name": f"{key}-0", "multilineTextboxSpec": text}, 0, 0, WIDTH, "text")]
    below = HEIGHTS["text"]
    for row in page["rows"]:
        width = WIDTH // len(row)
        for place, widget in enumerate(row):
            kind, built = _widget(f"{key}-{len(layout)}", widget)
            layout.append(_placed(built, place * width, below, width, kind))
        below += HEIGHTS[kind]
    return {
        "name": key,
        "displayName": page["title"],
        "pageType": "PAGE_TYPE_CANVAS",
        "layout": layout,
    }


def _placed(widget: Json, x: int, y: int, width: int, kind: str) -> Json:
    position = {"x": x, "y": y, "width": width, "height": HEIGHTS[kind]}
    return {"widget": widget, "position": position}


def _widget(name: str, widget: Json) -> tuple[str, Json]:
    [kind] = widget.keys() & VERSIONS.keys()
    fields, encodings = _DRAW[kind](widget, widget[kind])
    query = {
        "datasetName": _key(widget["of"]),
        "fields": fields,
        # A chart is grouped by what it is drawn over; the others show the rows of their query.
        "disaggregated": kind not in ("line", "bar"),
    }
    spec = {
        "version": VERSIONS[kind],
        "widgetType": kind,
        "encodings": encodings,
        "frame": {"showTitle": True, "title": widget["title"]},
    }
    if kind == "bar" and len(widget[kind]) > 1:
        # Beside each other: stacked bars would add up what is part of each other.
        spec["mark"] = {"layout": "group"}
    return kind, {"name": name, "queries": [{"name": "main_query", "query": query}], "spec": spec}


def _counter(widget: Json, column: str) -> tuple[list[Json], Json]:
    value = {"fieldName": column, "displayName": widget["title"], "format": _format(column)}
    return [_field(column)], {"value": value}


def _table(widget: Json, columns: Sequence[str]) -> tuple[list[Json], Json]:
    shown = [{"fieldName": column, "displayName": _words(column)} for column in columns]
    return [_field(column) for column in columns], {"columns": shown}


def _chart(widget: Json, columns: Sequence[str]) -> tuple[list[Json], Json]:
    """Draw sums over groups, of one row each: a sum of it is its value."""
    over, by = widget["over"], widget.get("by")
    sums = [{"name": f"sum({column})", "expression": f"SUM(`{column}`)"} for column in columns]
    scale = {"type": "quantitative"}
    named = [{"fieldName": f"sum({column})", "displayName": _words(column)} for column in columns]
    y: Json = {"scale": scale, "format": _format(columns[0])}
    y |= {"fields": named} if len(named) > 1 else named[0]
    kind = "temporal" if over in _TIMES else "categorical"
    encodings: Json = {
        "x": {"fieldName": over, "displayName": _words(over), "scale": {"type": kind}},
        "y": y,
    }
    if by:
        encodings["color"] = {
            "fieldName": by,
            "displayName": _words(by),
            "scale": {"type": "categorical"},
        }
    return [*(_field(column) for column in (over, by) if column), *sums], encodings


_DRAW: Final[Mapping[str, Callable[[Json, Any], tuple[list[Json], Json]]]] = {
    "counter": _counter,
    "table": _table,
    "line": _chart,
    "bar": _chart,
}


def _field(column: str) -> Json:
    return {"name": column, "expression": f"`{column}`"}


def _format(column: str) -> Json:
    return _PERCENT if _SHARE.search(column) else _NUMBER


def _words(column: str) -> str:
    return column.replace("_", " ").capitalize()


def genie_space() -> Json:
    """Return the file of the bundle that declares the Genie space, with all questions.

    It is part of the configuration, not a file of its own, because the CLI puts the catalog only
    into the former.
    """
    questions = read_questions()
    catalog = "${var.catalog}"
    tables = sorted({table for q in questions for table in _tables(q.sql)})
    space = {
        "version": 2,
        "config": {
            "sample_questions": [{"id": _id(1, q.number), "question": [q.title]} for q in questions]
        },
        "data_sources": {
            "tables": [{"identifier": f"{catalog}.{GOLD}.{table}"} for table in tables],
            "metric_views": [{"identifier": f"{catalog}.{GOLD}.{v}"} for v in METRIC_VIEWS],
        },
        "instructions": {
            "text_instructions": [{"id": _id(2, 1), "content": [_INSTRUCTIONS]}],
            "example_question_sqls": [
                {
                    "id": _id(3, q.number),
                    "question": [q.title],
                    "sql": [q.sql.replace(f"{GOLD}.", f"{catalog}.{GOLD}.")],
                }
                for q in questions
            ],
        },
    }
    declared = {
        "title": "E-commerce analytics",
        "description": "Asks the marts and the metrics of the shop in words.",
        "warehouse_id": "${var.warehouse_id}",
        "permissions": [
            {"group_name": f"ecommerce_{group}", "level": "CAN_RUN"}
            for group in ("data_engineers", "data_scientists", "business_analysts")
        ],
        "serialized_space": space,
    }
    resources = {"resources": {"genie_spaces": {"shop": declared}}}
    # Other targets have no metric views.
    return {"targets": dict.fromkeys(("staging", "prod"), resources)}


_INSTRUCTIONS: Final = (
    "Use the metric views for revenue, orders, sessions, conversion, carts and repeat rates. Days"
    " that are not complete (is_complete) are no fall in sales: leave them out of comparisons."
    " Rates do not add up: divide sums. All times are UTC. Amounts are in the shop's currency."
    " Answer about groups of customers, never about one."
)


def _id(part: int, number: int) -> str:
    """Return an id of 32 hexadecimal digits; lists must be in the order of their ids.

    With a letter in front YAML never reads one as a number.
    """
    return f"a{part:015x}{number:016x}"


def _tables(sql: str) -> Iterator[str]:
    yield from re.findall(rf"\b{GOLD}\.(\w+)", sql)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def rendered() -> dict[Path, str]:
    """Return the text of each file that is written."""
    space = yaml.dump(genie_space(), Dumper=_Dumper, sort_keys=False, width=100)
    return {
        DASHBOARD: json.dumps(dashboard(), indent=2) + "\n",
        SPACE: _WRITTEN + space,
    }


def main() -> int:
    """Write the files and return the exit code."""
    for path, text in rendered().items():
        path.write_text(text, encoding="utf-8")
        show(path.relative_to(CHECKOUT))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
