"""Builds the pages, and puts a new site in the place of the old one when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

import duckdb
from altair.utils.schemapi import debug_mode

from dashboard import markup
from dashboard.elements import Page
from dashboard.pages import (
    categories,
    cohorts,
    customers,
    dictionary,
    funnel,
    overview,
    paths,
    prices,
    products,
    sales,
    trust,
)
from dashboard.tables import Tables
from project.errors import UserError

_PAGES: Final[Sequence[Callable[[Tables], Page]]] = (
    overview.build,
    sales.build,
    customers.build,
    cohorts.build,
    products.build,
    categories.build,
    funnel.build,
    prices.build,
    paths.build,
    trust.build,
)
_ASSETS: Final = ("site.css", "site.js")


def build(connection: duckdb.DuckDBPyConnection, folder: Path, dictionary_file: Path) -> list[Path]:
    """Write the site of a database to a folder, replacing an older one, and return its pages.

    Raises UserError for tables that are missing or of another version, and for a folder that
    cannot be written; the older site stays then.
    """
    tables = Tables(connection)
    state = tables.row("shop", "state")
    stamp = markup.Stamp(
        state["first_date"],
        state["as_of_date"],
        state["loaded_at"],
        datetime.now(UTC).replace(tzinfo=None),
    )
    pages = [*(build_page(tables) for build_page in _PAGES), dictionary.build(dictionary_file)]
    links = [(page.slug, page.title) for page in pages]
    # Altair would check each part of each chart against the schema, half of the time in Python.
    with debug_mode(False):
        texts = {f"{page.slug}.html": markup.render(page, links, stamp) for page in pages}
    for name in _ASSETS:
        texts[name] = (files("dashboard") / "assets" / name).read_text(encoding="utf-8")
    try:
        _replace(folder, texts)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot be written: {error.strerror}; free some space or"
            " get permission, then run again"
        ) from error
    return [folder / f"{slug}.html" for slug, _ in links]


def _replace(folder: Path, texts: dict[str, str]) -> None:
    """Write all files beside the folder, then swap the folders: readers see one whole site."""
    new, old = (folder.with_name(f".{folder.name}.{kind}") for kind in ("new", "old"))
    # A process that was killed between the two renames left the last good site here.
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    for name, text in texts.items():
        (new / name).write_text(text, encoding="utf-8")
    if folder.exists():
        folder.rename(old)
    os.rename(new, folder)  # noqa: PTH104
    shutil.rmtree(old, ignore_errors=True)
