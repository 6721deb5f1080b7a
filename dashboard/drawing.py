"""Charts drawn as SVG while the site is written, so that a page needs no script to show them."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

import vl_convert

_SIZE: Final = re.compile(r'^<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)"')


def to_svg(specification: dict[str, Any], title: str, css: str) -> str:
    """Return a chart as an SVG element that fits its card, with its title for screen readers."""
    svg: str = vl_convert.vegalite_to_svg(specification)
    found = _SIZE.match(svg)
    if found is None:
        raise ValueError(f"no SVG: {svg[:200]}")
    head = (
        f'<svg class="{css}" role="img" aria-label="{escape(title)}'
        f' The data table has its figures." viewBox="0 0 {found[2]} {found[3]}"'
        f' style="max-width:{float(found[2]) * 1.2:.0f}px"'
    )
    start = svg.index(">")
    return f"{head}>{svg[start + 1 :]}"
