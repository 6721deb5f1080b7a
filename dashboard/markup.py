"""HTML of a page. All text of data goes through `escape`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Final

from dashboard import drawing, formats
from dashboard.elements import Column, Figure, Measured, Page, Section, Tile
from dashboard.tables import Row

_NUMBERS: Final = frozenset({"integer", "money", "decimal", "percent", "change"})
# A chart of the full width would be unreadable on a phone, so a second one is drawn for it.
WIDTHS: Final = {"half": 430, "full": 940}
NARROW: Final = 330
_NO_SQL: Final = (
    " The SQL page is left out: <code>ecommerce dashboard --sql</code> fetches DuckDB for the"
    " browser."
)
_CURRENT: Final = ' aria-current="page"'
NO_ROWS: Final = "There is nothing to show here."


@dataclass(frozen=True)
class Stamp:
    """Of when a site is."""

    first_date: date | None
    last_date: date | None
    """Date of the newest event."""
    loaded_at: datetime | None
    """When the newest file was loaded, UTC."""
    written_at: datetime
    """When the pages were written, UTC."""


def render(page: Page, pages: Sequence[tuple[str, str]], stamp: Stamp) -> str:
    """Return a whole page; `pages` are (slug, title) of the site in order."""
    links = "".join(
        f'<li><a href="{slug}.html"{_CURRENT if slug == page.slug else ""}>{escape(title)}</a></li>'
        for slug, title in pages
    )
    has_sql = any(slug == "sql" for slug, _ in pages)
    sql = "" if has_sql else _NO_SQL
    sections = "".join(_section(page.slug, section) for section in page.sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(page.title)} · Shop dashboard</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="site.css">
<script src="site.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<svg width="0" height="0" class="defs" aria-hidden="true" focusable="false"><defs>
<pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"
 patternTransform="rotate(45)"><path d="M0 0V5" class="hatch"/></pattern>
<pattern id="catch-up" width="4" height="4" patternUnits="userSpaceOnUse"
 patternTransform="rotate(-45)"><path d="M0 0V4" class="catch-up"/></pattern>
<pattern id="unknown" width="6" height="6" patternUnits="userSpaceOnUse"
 patternTransform="rotate(45)"><path d="M0 0V6" class="unknown"/></pattern></defs></svg>
<header class="bar">
<p class="brand"><a href="index.html">Shop dashboard</a></p>
<p class="stamp">{_stamp(stamp)}</p>
<button type="button" id="theme" hidden>Dark</button>
</header>
<div class="frame">
<nav aria-label="Pages"><ul>{links}</ul></nav>
<main id="main" tabindex="-1">
<h1>{escape(page.title)}</h1>
<p class="lead">{escape(page.lead)}</p>
{sections}{page.extra}
</main>
</div>
<footer><p>Written {formats.time(stamp.written_at)}, last file loaded \
{formats.time(stamp.loaded_at)}. Times are UTC, amounts in the shop&#8217;s currency.
<a href="dictionary.html">What the columns mean</a>,
<a href="trust.html">whether to trust the numbers</a>.{sql}</p></footer>
</body>
</html>
"""


def _stamp(stamp: Stamp) -> str:
    if stamp.first_date is None or stamp.last_date is None:
        return "No events yet"
    end = formats.day(stamp.last_date)
    period = formats.days(stamp.first_date, stamp.last_date)
    return f"Data of {period.removesuffix(end)}<b>{end}</b>"


def _section(slug: str, section: Section) -> str:
    note = f'<p class="note">{escape(section.note)}</p>' if section.note else ""
    tiles = "".join(_tile(tile) for tile in section.tiles)
    figures = "".join(_figure(slug, figure) for figure in section.figures)
    return (
        f"<section><h2>{escape(section.title)}</h2>{note}"
        + (f'<dl class="tiles">{tiles}</dl>' if tiles else "")
        + (f'<div class="cards">{figures}</div>' if figures else "")
        + "</section>\n"
    )


def _tile(tile: Tile) -> str:
    rate = tile.change.rate
    direction = "none" if rate is None else "up" if rate > 0 else "down" if rate < 0 else "same"
    note = f'<span class="tile-note">{escape(tile.note)}</span>' if tile.note else ""
    exact = "" if tile.exact is None else escape(str(tile.exact))
    return (
        f'<div class="tile"><dt>{escape(tile.label)}</dt>'
        f'<dd><data value="{exact}">{escape(tile.value)}</data>'
        f'<span class="change {direction}">{escape(tile.change.text)}</span>{note}</dd></div>'
    )


def _figure(slug: str, figure: Figure) -> str:
    title = f"<h3>{escape(figure.title)}</h3>"
    caution = f'<p class="caution">{escape(figure.caution)}</p>' if figure.caution else ""
    name = f"{slug}-{figure.name}"
    if not figure.rows:
        body = f'<p class="nothing">{NO_ROWS}</p>'
    elif figure.draw is None:
        body = _table(figure, name)
    else:
        legend = "".join(
            f'<li><span class="swatch {css}"></span>{escape(text)}</li>'
            for css, text in figure.legend
        )
        body = (
            _charts(figure)
            + (f'<ul class="legend">{legend}</ul>' if legend else "")
            + f"<details><summary>Data table</summary>{_table(figure, name)}</details>"
        )
    return (
        f'<figure class="card {figure.span}" id="{name}"><figcaption>{title}{caution}'
        f"</figcaption>{body}</figure>"
    )


def _charts(figure: Figure) -> str:
    assert figure.draw is not None
    wide = drawing.to_svg(figure.draw(WIDTHS[figure.span]), figure.title, "chart wide")
    if figure.span != "full":
        return wide.replace('class="chart wide"', 'class="chart"')
    return wide + drawing.to_svg(figure.draw(NARROW), figure.title, "chart narrow")


def _table(figure: Figure, name: str) -> str:
    head = "".join(
        f'<th scope="col"{_align(column)}>{escape(column.title)}</th>' for column in figure.columns
    )
    body = "".join(
        "<tr>" + "".join(_cell(row, column) for column in figure.columns) + "</tr>"
        for row in figure.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(figure.title)}">'
        f'<table data-name="{name}"><caption class="hidden">{escape(figure.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(row: Row, column: Column) -> str:
    found = row[column.key]
    measured = found if isinstance(found, Measured) else Measured(found, column.kind)
    value, kind = measured.value, measured.kind
    text = escape(formats.shown(value, kind))
    # What sorts and what the CSV has, where that is not what is shown.
    raw = ""
    if value is None:
        raw = ' data-raw=""'
    elif kind in ("percent", "change", "decimal"):
        raw = f' data-raw="{_short(value)}"'
    elif kind == "time":
        raw = f' data-raw="{value.isoformat(" ", "seconds")}"'
    return f"<td{raw}{_align(column)}>{text}</td>"


def _short(value: float | Decimal) -> str:
    """Return a number with six digits, or with two decimals where that is more."""
    number = float(value)
    return f"{number:.6g}" if abs(number) < 1_000 else f"{number:.2f}"


def _align(column: Column) -> str:
    if column.kind in _NUMBERS:
        return ' class="n"'
    return ' class="d"' if column.kind in ("date", "time") else ""
