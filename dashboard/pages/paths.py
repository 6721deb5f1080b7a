"""Together and paths: what is bought together, and how shoppers move between categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from dashboard import figures, formats
from dashboard.elements import Column, Figure, Page, Section
from dashboard.tables import Row, Tables

TITLE: Final = "Together and paths"
_ENTRY, _EXIT, _OTHER = "(entry)", "(exit)", "other"
_LARGEST: Final = 8
_BASES: Final = (
    ("order", "In one order", "Both products in one order."),
    ("customer", "By one customer", "Both products bought by one customer within the window."),
)


def build(tables: Tables) -> Page:
    """Return the page."""
    return Page(
        "paths",
        TITLE,
        "What is bought together, and how do shoppers move between categories?",
        [*_pairs(tables), *_steps(tables)],
    )


def _pairs(tables: Tables) -> list[Section]:
    found = tables.optional_rows("paths", "pairs")
    if found is None:
        return []
    return [
        Section(
            "Bought together",
            [_basis(found, *basis) for basis in _BASES],
            note="Lift says how many times more often than by chance two products are bought"
            " together; it says little where the count is small.",
        )
    ]


def _basis(found: Sequence[Row], basis: str, title: str, caution: str) -> Figure:
    rows = [
        {
            **row,
            "name": f"{_product(row, 'a')} + {_product(row, 'b')}",
            "lines": f"{_product(row, 'a')}\N{NO-BREAK SPACE}+\n{_product(row, 'b')}",
        }
        for row in found
        if row["basis"] == basis
    ]
    first = rows[0] if rows else None
    return Figure(
        f"pairs-{basis}",
        f"{title}: {first['name']}, {formats.counted(first['pair_count'], 'time')}"
        if first
        else f"{title}: no pair is frequent enough",
        f"{caution} The fifteen most frequent pairs; behind a bar the count and the lift.",
        (
            Column("product_a", "First product"),
            Column("brand_a", "Brand"),
            Column("category_a", "Category"),
            Column("product_b", "Second product"),
            Column("brand_b", "Brand"),
            Column("category_b", "Category"),
            Column("pair_count", "Times", "integer"),
            Column("support", "Support", "percent"),
            Column("confidence_a_to_b", "First to second", "percent"),
            Column("confidence_b_to_a", "Second to first", "percent"),
            Column("lift", "Lift", "decimal"),
        ),
        rows,
        figures.ranked_bars(
            rows,
            "lines",
            "pair_count",
            "integer",
            text=lambda row: f"{row['pair_count']:,}, lift {row['lift']:.1f}",
            label=lambda row: (
                f"{row['name']}: {formats.counted(row['pair_count'], 'time')},"
                f" lift {formats.decimal(row['lift'])}"
            ),
        ),
        "full",
    )


def _product(row: Row, side: str) -> str:
    return formats.product(row[f"brand_{side}"], row[f"product_{side}"])


def _steps(tables: Tables) -> list[Section]:
    found = tables.optional_rows("paths", "steps")
    if found is None:
        return []
    rows = _matrix(found)
    steps = sum(row["steps"] for row in found)
    entries: Counter[str] = Counter()
    for row in found:
        if row["from_category_l1"] == _ENTRY:
            entries[row["to_category_l1"]] += row["steps"]
    first = entries.most_common(1)
    return [
        Section(
            "Paths between categories",
            [
                Figure(
                    "paths",
                    f"{formats.percent(first[0][1] / entries.total())} of the sessions enter in"
                    f" {first[0][0]}"
                    if first
                    else "Steps between categories",
                    "A row says where shoppers go next from a category, as shares of the row."
                    f" All {formats.counted(steps, 'step')} of all days; small categories are"
                    " together in other.",
                    (
                        Column("from", "From"),
                        Column("to", "To"),
                        Column("steps", "Steps", "integer"),
                        Column("share", "Share of the row", "percent"),
                    ),
                    rows,
                    figures.heat_map(
                        rows,
                        "to",
                        "from",
                        "share",
                        label=lambda row: (
                            f"From {row['from']} to {row['to']}: {formats.percent(row['share'])},"
                            f" {formats.counted(row['steps'], 'step')}"
                        ),
                        text=lambda row: formats.percent(row["share"]) if row["steps"] else "",
                        across_title="next category",
                        # Most steps of a category are its exits, whatever the category.
                        first_step=0.5,
                        cell=32,
                    ),
                    "full",
                )
            ],
        )
    ]


def _matrix(found: Sequence[Row]) -> list[Row]:
    """Return all pairs of the largest categories, the others as one, with shares of the row."""
    sizes: Counter[str] = Counter()
    for row in found:
        sizes[row["from_category_l1"]] += row["steps"]
    del sizes[_ENTRY]
    large = [name for name, _ in sizes.most_common(_LARGEST)]
    has_others = len(sizes) > len(large)

    def group(name: str) -> str:
        return name if name in (*large, _ENTRY, _EXIT) else _OTHER

    steps: Counter[tuple[str, str]] = Counter()
    for row in found:
        steps[group(row["from_category_l1"]), group(row["to_category_l1"])] += row["steps"]
    others = [_OTHER] if has_others else []
    rows: list[Row] = []
    for start in (_ENTRY, *large, *others) if found else ():
        total = sum(number for (origin, _), number in steps.items() if origin == start)
        for end in (*large, *others, _EXIT):
            number = steps[start, end]
            share = number / total if total else None
            rows.append({"from": start, "to": end, "steps": number, "share": share})
    return rows
