"""What a definition needs beside it: names are compared, and a failure names the place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from project.home import CHECKOUT


def rule_names() -> list[str]:
    """Return the names of the rejection rules, in their order."""
    text = (CHECKOUT / "macros" / "definitions" / "event_rules.sql").read_text("utf-8")
    return re.findall(r"^ +\('(\w+)', ", text, re.MULTILINE)


def require(found: Iterable[str], expected: Iterable[str], place: str) -> None:
    """Compare names; the message says which are missing at the place, and which are left there."""
    missing, left = sorted({*expected} - {*found}), sorted({*found} - {*expected})
    assert not missing, f"{place} lacks {', '.join(missing)}: add them"
    assert not left, f"{place} has {', '.join(left)}, which the project does not have: remove them"
