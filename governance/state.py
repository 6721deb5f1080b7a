"""Governance to compare: grants, masks, row filters, column tags and policies, with a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["grant", "mask", "row_filter", "tag", "policy"]


@dataclass(frozen=True, order=True)
class Item:
    """One grant, mask, row filter, tag or policy at a place within the catalog.

    `place` is 'catalog c', 'schema s', 'volume s.v', 'table s.t' (views too) or 'column s.t.c'.
    `name` is 'PRIVILEGE to principal' for a grant, the name of a tag or policy, else empty.
    """

    kind: Kind
    place: str
    name: str = ""


# The value of a mask or filter is its function with columns, that of a tag its own value, that of a
# policy what it does to whom.
State: TypeAlias = Mapping[Item, str]

# Values of a grant. An owner has all privileges anyway.
GRANTED: Final = "granted"
OWNED: Final = "granted to the owner"


def grant(place: str, principal: str, privilege: str, owner: str | None = None) -> tuple[Item, str]:
    """Return a grant; SQL spells privileges with blanks, the bundle with underscores."""
    spelled = privilege.upper().replace(" ", "_")
    is_owned = owner is not None and owner.lower() == principal.lower()
    item = Item("grant", place.lower(), f"{spelled} to {principal.lower()}")
    return item, OWNED if is_owned else GRANTED


def mask(column: str, function: str, using: Iterable[str] = ()) -> tuple[Item, str]:
    """Return the mask of a column 's.t.c'; `using` are the function's further arguments."""
    return Item("mask", f"column {column.lower()}"), _call(function, using)


def row_filter(table: str, function: str, columns: Iterable[str]) -> tuple[Item, str]:
    """Return the row filter of a table 's.t'."""
    return Item("row_filter", f"table {table.lower()}"), _call(function, columns)


def tag(column: str, name: str, value: str) -> tuple[Item, str]:
    """Return a tag of a column 's.t.c'; a tag's value keeps its case."""
    return Item("tag", f"column {column.lower()}", name.lower()), value


def policy(
    place: str,
    name: str,
    kind: str,
    function: str,
    conditions: Iterable[str],
    to: Iterable[str],
    exempt: Iterable[str] = (),
    when: str = "",
) -> tuple[Item, str]:
    """Return a policy of a catalog or schema.

    `place` is 'catalog c' or 'schema s', `kind` 'column_mask' or 'row_filter'. `conditions` are
    those on the tags of the function's arguments, in order; `when` is the one on a table's tags.
    """
    arguments = ", ".join(_condition(condition) for condition in conditions)
    value = f"{kind} {function.replace('`', '').lower()}({arguments}) to {_principals(to)}"
    if exempt := sorted(exempt):
        value += f" except {_principals(exempt)}"
    if when:
        value += f" when {_condition(when)}"
    return Item("policy", place.lower(), name.lower()), value


def _principals(names: Iterable[str]) -> str:
    return ", ".join(sorted(name.lower() for name in names))


def _condition(text: str) -> str:
    """Return a condition in one spelling: Databricks also writes hasTagValue for has_tag_value."""
    spelled = re.sub(r"\bhasTagValue\b", "has_tag_value", text)
    spelled = re.sub(r"\bhasTag\b", "has_tag", spelled)
    return re.sub(r"\s*,\s*", ", ", " ".join(spelled.split()))


def _call(function: str, columns: Iterable[str]) -> str:
    return f"{function.replace('`', '').lower()}({', '.join(c.strip().lower() for c in columns)})"
