"""Charts as Vega-Lite specifications, pure functions of rows. Colors are variables of the CSS."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from textwrap import wrap
from typing import Any, Final

import altair as alt

from dashboard import formats
from dashboard.elements import Draw
from dashboard.tables import Row

Label = Callable[[Row], str]
_Values = list[dict[str, Any]]

ACCENT: Final = "var(--accent)"
SECOND: Final = "var(--second)"
_INK: Final = "var(--ink)"
_MUTED: Final = "var(--muted)"
_LINE: Final = "var(--line)"
_HATCH: Final = "url(#hatch)"
_CATCH_UP: Final = "url(#catch-up)"
_UNKNOWN: Final = "url(#unknown)"
RAMP: Final = tuple(f"var(--ramp{step})" for step in range(7))
"""From little to much."""
SERIES: Final = ("var(--accent)", "var(--second)", "var(--third)", "var(--fourth)")
DAY_KINDS: Final = (
    ("swatch-complete", "complete day"),
    ("swatch-incomplete", "incomplete day: data is missing"),
    ("swatch-catchup", "catch-up day: has another day's data too"),
)
_ROWS: Final = "rows"
# Named, because altair copies what is in a chart again and again.
_DATA: Final = alt.NamedData(name=_ROWS)
_FONT: Final = 12
_WIDEST: Final = 64.0
"""Pixels of the widest upright bar: one of a single day would fill the card."""
_CHARACTER: Final = 7.6
"""Pixels of a character, about, at the size of labels."""
_CONFIG: Final[dict[str, Any]] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _MUTED,
        "titleColor": _MUTED,
        "domainColor": _LINE,
        "tickColor": _LINE,
        "gridColor": _LINE,
        "labelFontSize": _FONT,
        "titleFontSize": _FONT,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "text": {"color": _INK, "fontSize": _FONT},
    "header": {"labelColor": _INK, "labelFontSize": _FONT, "title": None},
}
_VALUE_FORMAT: Final = {"money": "~s", "integer": "~s", "percent": ".1~%", "decimal": "~g"}


def _spec(chart: Any, data: _Values, width: int, height: float) -> dict[str, Any]:
    """Return the specification of a chart that is as wide as its card."""
    fit = {"type": "fit", "contains": "padding"}
    return {**_with_data(chart, data), "width": width, "height": height, "autosize": fit}


def _with_data(chart: Any, data: _Values) -> dict[str, Any]:
    specification: dict[str, Any] = chart.to_dict(validate=False)
    return {**specification, "datasets": {_ROWS: data}, "config": _CONFIG, "padding": 2}


def _data(rows: Sequence[Row], label: Label, **more: Callable[[Row], Any]) -> _Values:
    return [
        {
            **{key: _plain(value) for key, value in row.items()},
            "_label": label(row),
            **{key: find(row) for key, find in more.items()},
        }
        for row in rows
    ]


def _plain(value: object) -> object:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return value.isoformat() if isinstance(value, date) else float(value)  # type: ignore[arg-type]


# Of a class, because altair searches all of its classes for what a string may be.
_DESCRIPTION: Final = alt.Description("_label:N")
_TEXT: Final = alt.Text("_text:N")


def _axis(kind: str, **more: Any) -> alt.Axis:
    return alt.Axis(format=_VALUE_FORMAT[kind], tickCount=4, domain=False, ticks=False, **more)


def daily_bars(
    rows: Sequence[Row], value: str, kind: formats.Kind, *, average: str = "", height: int = 220
) -> Draw:
    """Draw bars by day; days that are not complete are bands of the full height and hollow bars.

    A band shows a day without any value, which no bar could. `average` is a line over it.
    """
    name = value.replace("_", " ")
    comparable = [float(row[value] or 0) for row in rows if row["is_complete"]]
    highest = max((float(row[value] or 0) for row in rows), default=0)
    # A catch-up day of five times the revenue would press all other bars to the ground.
    top = max(comparable, default=0) * 1.45
    top = top if 0 < top < highest else highest * 1.05 or 1
    cut = [row for row in rows if float(row[value] or 0) > top]

    def label(row: Row) -> str:
        mark = "" if row["is_complete"] else f", {row['day_kind'].replace('_', '-')} day"
        return f"{formats.day(row['event_date'])}: {name} {formats.shown(row[value], kind)}{mark}"

    def draw(width: int) -> dict[str, Any]:
        step = max(3.0, (width - 60) / max(len(rows), 1))
        bar = min(step * 0.72, _WIDEST)
        x = alt.X(
            "event_date:T",
            title=None,
            axis=alt.Axis(
                format="%-d %b",
                grid=False,
                labelOverlap=True,
                labelSeparation=8,
                tickCount=max(2, min(len(rows), width // 90)),
            ),
            scale=alt.Scale(padding=step / 2 + 1),
        )
        data = _data(
            rows,
            label,
            _cut=lambda row: cut.index(row) + 1 if row in cut else 0,
            _text=lambda row: f"{formats.short_day(row['event_date'])}: {_short(value, kind)(row)}",
        )
        base = alt.Chart(_DATA)
        bands = (
            base.transform_filter("!datum.is_complete")
            .mark_rule(strokeWidth=step, opacity=1, aria=False)
            .encode(x=x, stroke=_by_kind(alt.StrokeValue, None, "var(--band)", "var(--band2)"))
        )
        bars = base.mark_bar(width=bar, strokeWidth=1.2).encode(
            x=x,
            y=alt.Y(
                f"{value}:Q",
                title=None,
                axis=_axis(kind),
                scale=alt.Scale(domain=[0, top], nice=False, clamp=True),
            ),
            fill=_by_kind(alt.FillValue, ACCENT, _HATCH, _CATCH_UP),
            stroke=_by_kind(alt.StrokeValue, None, SECOND, SERIES[3]),
            description=_DESCRIPTION,
        )
        # The value of a bar that is cut at the top is beside it, one line each.
        texts = [
            base.transform_filter(f"datum._cut == {line}")
            .mark_text(
                align="right",
                baseline="top",
                dx=-step * (line - 0.5) - 4,
                dy=14 * (line - 1) + 2,
                aria=False,
                color=_MUTED,
            )
            .encode(x=x, y=alt.value(0), text=_TEXT)
            for line in range(1, len(cut) + 1)
        ]
        layers = [bands, bars, *texts]
        if average:
            layers.append(
                base.mark_line(color=_INK, strokeWidth=1.6, aria=False).encode(
                    x=x, y=alt.Y(f"{average}:Q")
                )
            )
        return _spec(alt.layer(*layers), data, width, height)

    return draw


def _either(channel: Callable[..., Any], test: str, yes: object, no: object) -> Any:
    """Return a channel with one of two values; `alt.condition` takes 16 ms to say the same."""
    return channel(no, condition={"test": test, "value": yes})


def _by_kind(
    channel: Callable[..., Any], complete: object, incomplete: object, catch_up: object
) -> Any:
    """Return a channel with the value of a day's kind."""
    tests = {"datum.is_complete": complete, "datum.day_kind == 'incomplete'": incomplete}
    conditions = [{"test": test, "value": value} for test, value in tests.items()]
    return channel(catch_up, condition=conditions)


def _hollow_if_marked() -> dict[str, Any]:
    return {
        "fill": _either(alt.FillValue, "datum._marked", _HATCH, ACCENT),
        "stroke": _either(alt.StrokeValue, "datum._marked", SECOND, None),
    }


def _extent(rows: Sequence[Row], value: str) -> tuple[float, float]:
    """Return the smallest and the largest value of bars, which include zero."""
    values = [float(row[value] or 0) for row in rows]
    return min([0.0, *values]), max(values, default=0.0) or 1.0


def _short(value: str, kind: formats.Kind) -> Label:
    """Return what is written beside a bar."""
    show = formats.percent if kind == "percent" else formats.compact
    return lambda row: show(row[value])


def _described(name: str, value: str, kind: formats.Kind) -> Label:
    """Return what a bar says to a screen reader and under the pointer."""
    return lambda row: f"{row[name]}: {formats.shown(row[value], kind)}"


def ranked_bars(
    rows: Sequence[Row],
    name: str,
    value: str,
    kind: formats.Kind,
    *,
    label: Label | None = None,
    text: Label | None = None,
    marked: str = "",
) -> Draw:
    """Draw one bar a row in their order, with the value behind it; `marked` rows are hollow.

    A name that is too long for a line is broken, at its line feeds first.
    """
    shown = text or _short(value, kind)
    described = label or _described(name, value, kind)

    def draw(width: int) -> dict[str, Any]:
        names = [[str(row[name]).replace("\n", " ")] for row in rows]
        widest = width * 0.42
        if _longest(names) * _CHARACTER + 12 > widest:
            names = [_lines(str(row[name]), widest / _CHARACTER - 1) for row in rows]
        lines = max(map(len, names), default=1)
        limit = int(min(_longest(names) * _CHARACTER + 12, widest))
        room = max((len(shown(row)) for row in rows), default=1) * (_CHARACTER + 0.6) + 10
        data = _data(
            rows,
            described,
            _text=shown,
            _order=lambda row: rows.index(row),
            _marked=lambda row: bool(marked and row[marked]),
            # The text of a negative bar is to the right of zero, not on the bar.
            _end=lambda row: max(float(row[value] or 0), 0.0),
        )
        smallest, largest = _extent(rows, value)
        plot = max(width - limit - 8, 60)
        base = alt.Chart(_DATA).encode(
            y=alt.Y(
                "_order:O",
                title=None,
                axis=alt.Axis(
                    labelExpr=_list([one if len(one) > 1 else one[0] for one in names]),
                    labelLimit=limit + 8,
                    # The browser's font can be wider than the one that measured the texts.
                    minExtent=limit,
                    labelOffset=_by_lines(names),
                    labelColor=_INK,
                    ticks=False,
                    domain=False,
                    labelPadding=6,
                ),
                scale=alt.Scale(paddingInner=0.3, paddingOuter=0.1),
            ),
        )
        # Room for the text behind the longest bar.
        domain = [smallest, largest + (largest - smallest) * room / max(plot - room, 40)]
        across = alt.Scale(domain=domain, nice=False)
        bars = base.mark_bar(strokeWidth=1.2).encode(
            x=alt.X(f"{value}:Q", title=None, axis=None, scale=across),
            **_hollow_if_marked(),
            description=_DESCRIPTION,
        )
        texts = base.mark_text(align="left", dx=5, aria=False).encode(
            x=alt.X("_end:Q", title=None, axis=None, scale=across), text=_TEXT
        )
        return _spec(alt.layer(bars, texts), data, width, max(len(rows), 1) * (11 + 14 * lines) + 6)

    return draw


def _cut(text: str, characters: float) -> str:
    most = max(int(characters), 4)
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _lines(text: str, characters: float) -> list[str]:
    """Return a text as lines of a width, at most two for each of its own; the end is kept."""
    most = max(int(characters), 4)
    broken = []
    for part in text.split("\n"):
        lines = _at_spaces(part, most)
        if _longest([lines]) > most:
            lines = [line.replace("_ ", "_") for line in _at_spaces(part.replace("_", "_ "), most)]
        if len(lines) > 2:
            lines = [" ".join(lines[:-1]), lines[-1]]
        broken += [_cut(line, most) for line in lines]
    return broken or [""]


def _at_spaces(text: str, most: int) -> list[str]:
    return wrap(text, most, break_long_words=False, break_on_hyphens=False)


def _by_lines(names: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return what lifts each label by half of its lines, as the first is at the bar's middle."""
    numbers = [len(lines) for lines in names]
    conditions = [
        {"test": f"{numbers}[datum.value] == {number}", "value": -7 * (number - 1)}
        for number in sorted(set(numbers) - {1})
    ]
    return {"condition": conditions, "value": 0}


def _longest(names: Sequence[Sequence[str]]) -> int:
    return max((len(line) for lines in names for line in lines), default=1)


def _names(rows: Sequence[Row], name: str, characters: float) -> str:
    """Return an expression that names each position, as two rows may have the same name."""
    return _list([_cut(str(row[name]), characters) for row in rows])


def _list(names: Sequence[str | list[str]]) -> str:
    return f"{json.dumps(list(names))}[datum.value]"


def columns(
    rows: Sequence[Row],
    name: str,
    value: str,
    kind: formats.Kind,
    *,
    label: Label | None = None,
    marked: str = "",
    height: int = 200,
    title: str | None = None,
) -> Draw:
    """Draw one upright bar a row in their order, with its value above."""
    described = label or _described(name, value, kind)

    def draw(width: int) -> dict[str, Any]:
        data = _data(
            rows,
            described,
            _text=_short(value, kind),
            _order=lambda row: rows.index(row),
            _marked=lambda row: bool(marked and row[marked]),
        )
        smallest, largest = _extent(rows, value)
        base = alt.Chart(_DATA).encode(
            x=alt.X(
                "_order:O",
                title=title,
                axis=alt.Axis(
                    labelAngle=0,
                    labelExpr=_names(rows, name, 40),
                    ticks=False,
                    labelOverlap=True,
                    labelSeparation=4,
                    labelColor=_INK,
                ),
                scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15),
            ),
            y=alt.Y(
                f"{value}:Q",
                title=None,
                axis=None,
                scale=alt.Scale(domain=[smallest * 1.15, largest * 1.12], nice=False),
            ),
        )
        bar = min(width / max(len(rows), 1) * 0.7, _WIDEST)
        bars = base.mark_bar(strokeWidth=1.2, width=bar).encode(
            **_hollow_if_marked(),
            description=_DESCRIPTION,
        )
        texts = base.mark_text(baseline="bottom", dy=-4, aria=False).encode(text=_TEXT)
        fits = len(rows) * 42 <= width
        return _spec(alt.layer(bars, texts) if fits else bars, data, width, height)

    return draw


def heat_map(
    rows: Sequence[Row],
    across: str,
    down: str,
    value: str,
    *,
    label: Label,
    across_title: str | None = None,
    text: Label | None = None,
    across_name: Label | None = None,
    down_name: Label | None = None,
    cell: int = 26,
    first_step: float | None = None,
) -> Draw:
    """Draw cells by two positions in the order of the rows; a null cell is hatched, not pale."""
    xs = list(dict.fromkeys(row[across] for row in rows))
    # Names keep the order of the rows; numbers and dates have one of their own.
    xs = xs if any(isinstance(x, str) for x in xs) else sorted(xs)
    ys = list(dict.fromkeys(row[down] for row in rows))
    across_names = {row[across]: (across_name or (lambda r: str(r[across])))(row) for row in rows}
    down_names = {row[down]: (down_name or (lambda r: str(r[down])))(row) for row in rows}
    known = sorted(float(row[value]) for row in rows if row[value] is not None)
    largest = known[-1] if known else 1.0
    if first_step is not None:
        # One cell far above all others, as the week of the first orders, would leave them pale.
        below = [number for number in known if number < first_step]
        largest = below[-1] if below else largest

    def step(row: Row) -> int:
        if row[value] is None or not largest:
            return 0
        return max(0, min(len(RAMP) - 1, int(float(row[value]) / largest * len(RAMP))))

    def draw(width: int) -> dict[str, Any]:
        longest = max((len(name) for name in down_names.values()), default=1)
        plot = width - longest * _CHARACTER - 20
        fits = text is not None and plot / max(len(xs), 1) >= 34
        widest = max((len(name) for name in across_names.values()), default=1) * _CHARACTER
        # Of numbers and dates a reader knows those between two labels, of names not. Small letters
        # are narrower than the average.
        is_upright = any(isinstance(x, str) for x in xs) and widest > plot / len(xs) * 1.2
        data = _data(
            rows,
            label,
            _x=lambda row: xs.index(row[across]),
            _y=lambda row: ys.index(row[down]),
            _fill=lambda row: _UNKNOWN if row[value] is None else RAMP[step(row)],
            _ink=lambda row: "var(--ramp-ink-dark)" if step(row) >= 4 else "var(--ramp-ink)",
            _text=lambda row: text(row) if text and row[value] is not None else "",
        )
        names = [_cut(down_names[y], width * 0.4 / _CHARACTER) for y in ys]
        base = alt.Chart(_DATA).encode(
            x=alt.X(
                "_x:O",
                title=across_title,
                axis=alt.Axis(
                    labelAngle=-90 if is_upright else 0,
                    ticks=False,
                    domain=False,
                    labelOverlap=not is_upright,
                    labelExpr=_list([across_names[x] for x in xs]),
                ),
                scale=alt.Scale(paddingInner=0.06, paddingOuter=0),
            ),
            y=alt.Y(
                "_y:O",
                title=None,
                axis=alt.Axis(
                    ticks=False,
                    domain=False,
                    labelLimit=int(width * 0.45),
                    minExtent=max((len(name) for name in names), default=0) * _CHARACTER + 6,
                    labelColor=_INK,
                    labelExpr=_list(names),
                ),
                scale=alt.Scale(paddingInner=0.06, paddingOuter=0),
            ),
        )
        cells = base.mark_rect(cornerRadius=2).encode(
            fill=alt.Fill("_fill:N", scale=None), description=_DESCRIPTION
        )
        layers = [cells]
        if fits:
            layers.append(
                base.mark_text(fontSize=11, aria=False).encode(
                    text=_TEXT, fill=alt.Fill("_ink:N", scale=None)
                )
            )
        bottom = (44 if across_title else 26) + (widest if is_upright else 0)
        return _spec(alt.layer(*layers), data, width, max(len(ys), 1) * cell + bottom)

    return draw


def stacked_columns(
    rows: Sequence[Row],
    name: str,
    value: str,
    part: str,
    parts: Sequence[str],
    *,
    label: Label,
    marked: str = "",
    height: int = 220,
) -> Draw:
    """Draw upright bars of parts, in the order of `parts`, each in its color of `SERIES`."""
    names = list(dict.fromkeys(str(row[name]) for row in rows))

    def draw(width: int) -> dict[str, Any]:
        data = _data(
            rows,
            label,
            _order=lambda row: names.index(str(row[name])),
            _part=lambda row: parts.index(row[part]),
            _marked=lambda row: bool(marked and row[marked]),
        )
        base = alt.Chart(_DATA)
        bar = min((width - 50) / max(len(names), 1) * 0.7, _WIDEST)
        bars = base.mark_bar(stroke="var(--card)", strokeWidth=1, width=bar).encode(
            x=alt.X(
                "_order:O",
                title=None,
                axis=alt.Axis(
                    labelAngle=0,
                    ticks=False,
                    labelOverlap=True,
                    labelSeparation=8,
                    labelExpr=_list(names),
                ),
                scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15),
            ),
            y=alt.Y(f"{value}:Q", title=None, axis=_axis("money"), stack="zero"),
            fill=alt.Fill(
                "_part:O",
                scale=alt.Scale(domain=list(range(len(parts))), range=list(SERIES[: len(parts)])),
                legend=None,
            ),
            opacity=_either(alt.OpacityValue, "datum._marked", 0.45, 1),
            order=alt.Order("_part:O"),
            description=_DESCRIPTION,
        )
        return _spec(bars, data, width, height)

    return draw


def curve(
    rows: Sequence[Row], across: str, value: str, *, label: Label, title: str, height: int = 220
) -> Draw:
    """Draw a line through shares of one thing by shares of another, with a mark a row."""

    def draw(width: int) -> dict[str, Any]:
        base = alt.Chart(_DATA).encode(
            x=alt.X(
                f"{across}:Q",
                title=title,
                axis=alt.Axis(grid=False, labelOverlap=True, labelAngle=0, format=".0%"),
            ),
            y=alt.Y(f"{value}:Q", title=None, axis=_axis("percent"), scale=alt.Scale(zero=True)),
        )
        line = base.mark_line(color=ACCENT, strokeWidth=2, aria=False, interpolate="monotone")
        marks = base.mark_point(color=ACCENT, size=24, filled=True, opacity=1).encode(
            description=_DESCRIPTION
        )
        return _spec(alt.layer(line, marks), _data(rows, label), width, height)

    return draw


def small_multiples(
    rows: Sequence[Row],
    across: str,
    value: str,
    panel: str,
    names: Sequence[str],
    *,
    label: Label,
    marked: str,
) -> Draw:
    """Draw bars by week in one panel a name, each with its own scale."""
    weeks = sorted({row[across] for row in rows})

    def draw(width: int) -> dict[str, Any]:
        across_panels = 3 if width > 600 else 1
        plot = (width - 48 * across_panels) // across_panels
        data = _data(
            rows,
            label,
            _order=lambda row: weeks.index(row[across]),
            _marked=lambda row: bool(row[marked]),
            _panel=lambda row: names.index(row[panel]),
        )
        chart = (
            alt.Chart(_DATA)
            .mark_bar(strokeWidth=1, width=min(plot / max(len(weeks), 1) * 0.75, _WIDEST))
            .encode(
                x=alt.X(
                    "_order:O",
                    title=None,
                    axis=alt.Axis(
                        labelAngle=0,
                        ticks=False,
                        labelOverlap=True,
                        labelSeparation=10,
                        labelExpr=_list([formats.short_day(week) for week in weeks]),
                    ),
                    scale=alt.Scale(paddingInner=0.25),
                ),
                y=alt.Y(f"{value}:Q", title=None, axis=_axis("money", minExtent=34, maxExtent=34)),
                **_hollow_if_marked(),
                description=_DESCRIPTION,
            )
            .properties(width=plot, height=110)
            .facet(
                facet=alt.Facet(
                    "_panel:O",
                    title=None,
                    header=alt.Header(
                        labelExpr=_list(names), labelAnchor="start", labelFontWeight=600
                    ),
                ),
                columns=across_panels,
                spacing=alt.RowColnumber(row=44, column=48),
                bounds="flush",
            )
            .resolve_scale(y="independent")
            .resolve_axis(x="independent")
        )
        return _with_data(chart, data)

    return draw
