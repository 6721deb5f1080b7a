"""Charts drawn as SVG while the site is written, so that a page needs no script to show them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib.resources import as_file, files
from typing import Any, Final

import vl_convert

_FONTS: Final = "FONTCONFIG_FILE"
_SIZE: Final = re.compile(r'^<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)"')


def to_svg(specification: dict[str, Any], title: str, css: str) -> str:
    """Return a chart as an SVG element that fits its card, with its title for screen readers."""
    with _own_font():
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


@contextmanager
def _own_font() -> Iterator[None]:
    """Let vl-convert measure texts with the font that it brings, on every machine the same.

    It looks for the fonts of the machine when it first draws. It would read the file of a font
    again for each letter of a text, which takes two thirds of the time of all charts.
    """
    before = os.environ.get(_FONTS)
    with as_file(files("dashboard") / "assets" / "fonts.conf") as path:
        os.environ[_FONTS] = str(path)
        try:
            yield
        finally:
            os.environ.pop(_FONTS)
            if before is not None:
                os.environ[_FONTS] = before
