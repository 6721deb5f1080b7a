"""Dictionary: what every table and column means, where it comes from and what it feeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from dashboard.elements import Page, Section
from dictionary import entries
from project.errors import UserError

TITLE: Final = "Dictionary"
_CODE: Final = re.compile(r"`([^`]+)`")
_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_LAYERS: Final = {
    "gold": "Gold: tables to ask",
    "silver": "Silver: clean events, sessions, users, products",
    "snapshot": "Snapshots: how users and products were",
    "intermediate": "Intermediate: steps between silver and gold",
    "bronze": "Bronze: rows as they came",
}


def build(file: Path) -> Page:
    """Return the page of a dictionary's file; where there is none it says so."""
    lead = "What does every table and column mean, where does it come from, what does it feed?"
    if not file.exists():
        missing = Section(
            "No dictionary yet", note="`ecommerce dictionary` writes it, and then `make run` here."
        )
        return Page("dictionary", TITLE, lead, [missing])
    try:
        found = entries.read(file)
    except UserError as error:
        return Page("dictionary", TITLE, lead, [Section("No dictionary", note=str(error))])
    tables = found.stored()
    names = {table.name for table in tables}
    labels = {page.name: page.label for page in found.pages}
    coverage = found.coverage
    note = (
        f"{len(tables):,} tables; the sources of {coverage.with_sources:,} of"
        f" {coverage.columns:,} columns are known."
    )
    body = "".join(
        _layer(layer, title, [table for table in tables if table.layer == layer], names, labels)
        for layer, title in _LAYERS.items()
    )
    search = (
        '<p class="search" hidden><label for="search">Search tables and columns</label>'
        '<input id="search" type="search" autocomplete="off" spellcheck="false">'
        '<span id="found" role="status"></span></p>'
    )
    return Page("dictionary", TITLE, lead, [Section("Tables", note=note)], search + body)


def _layer(
    layer: str,
    title: str,
    tables: Sequence[entries.Table],
    names: set[str],
    labels: dict[str, str],
) -> str:
    if not tables:
        return ""
    shown = "".join(_table(table, names, labels) for table in tables)
    return f'<section class="layer" data-layer="{layer}"><h2>{title}</h2>{shown}</section>\n'


def _table(table: entries.Table, names: set[str], labels: dict[str, str]) -> str:
    facts = [
        ("One row per", ", ".join(f"`{column}`" for column in table.key)),
        ("Rows", "" if table.rows is None else f"{table.rows:,}"),
        ("Owner", table.owner),
        ("Always true", "; ".join(table.tests)),
        ("Rules", " ".join(table.rules)),
        ("Read by", ", ".join(labels[page] for page in table.pages)),
        ("Lineage", table.lineage_note),
    ]
    lines = "".join(f"<dt>{name}</dt><dd>{_text(fact)}</dd>" for name, fact in facts if fact)
    for name, related in (("Comes from", table.upstream), ("Feeds", table.downstream)):
        if related:
            lines += f"<dt>{name}</dt><dd>{', '.join(_reference(to, names) for to in related)}</dd>"
    columns = "".join(_column(table, column, names) for column in table.columns)
    return (
        f'<details class="card entry" id="{escape(table.name)}"><summary>'
        f"<h3>{escape(table.name)}</h3> <span>{_text(table.grain)}</span></summary>"
        f"<p>{_text(table.description)}</p><dl class='facts'>{lines}</dl>"
        f'<div class="scroll" tabindex="0" role="region"'
        f' aria-label="Columns of {escape(table.name)}"><table><thead><tr>'
        '<th scope="col">Column</th><th scope="col">Meaning</th><th scope="col">Tests</th>'
        '<th scope="col">Comes from</th><th scope="col">Feeds</th></tr></thead>'
        f"<tbody>{columns}</tbody></table></div></details>\n"
    )


def _column(table: entries.Table, column: entries.Column, names: set[str]) -> str:
    note = f"<br><small>{_text(column.additivity)}</small>" if column.additivity else ""
    personal = " <small>personal</small>" if column.is_personal else ""
    sources = ", ".join(_reference(name, names) for name in column.comes_from)
    if column.lineage_note:
        sources += f" <small>{_text(column.lineage_note)}</small>"
    return (
        f'<tr id="{escape(table.name)}.{escape(column.name)}"><th scope="row">'
        f"<code>{escape(column.name)}</code><br><small>{escape(column.type)}</small>{personal}</th>"
        f"<td>{_text(column.description)}{note}</td><td>{_text('; '.join(column.tests))}</td>"
        f"<td>{sources}</td>"
        f"<td>{', '.join(_reference(name, names) for name in column.feeds)}</td></tr>"
    )


def _reference(name: str, names: set[str]) -> str:
    """Return a link to a table, whose rows are `table.*`, or to `table.column`, made to break."""
    shown = escape(name).replace("_", "_<wbr>").replace(".", ".<wbr>")
    table = name.partition(".")[0]
    target = escape(name.removesuffix(".*"))
    return f'<a href="#{target}">{shown}</a>' if table in names else shown


def _text(text: str) -> str:
    """Return Markdown of descriptions as HTML: code is kept, links lose their address."""
    return _CODE.sub(r"<code>\1</code>", _LINK.sub(r"\1", escape(text)))
