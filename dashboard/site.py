"""Builds the pages, and puts a new site in the place of the old one when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

import duckdb
from altair.utils.schemapi import debug_mode

from dashboard import markup, wasm
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
    sql,
    trust,
)
from dashboard.tables import Tables
from export import duckdb_file
from project.errors import UserError
from project.questions import read_questions

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
_SQL_ASSETS: Final = ("sql.js", "arrow_module.js")


def build(
    connection: duckdb.DuckDBPyConnection, folder: Path, dictionary_file: Path, wasm_folder: Path
) -> list[Path]:
    """Write the site of a database to a folder, replacing an older one, and return its pages.

    The SQL page is one of them if DuckDB for the browser is in its folder. Raises UserError for
    tables that are missing or of another version, and for a folder that cannot be written; the
    older site stays then.
    """
    tables = Tables(connection)
    state = tables.row("shop", "state")
    stamp = markup.Stamp(
        state["first_date"],
        state["last_date"],
        state["loaded_at"],
        datetime.now(UTC).replace(tzinfo=None),
    )
    browser_files = wasm.files(wasm_folder)
    pages = [*(build_page(tables) for build_page in _PAGES), dictionary.build(dictionary_file)]
    if browser_files:
        pages.append(sql.build(read_questions()))
    links = [(page.slug, page.title) for page in pages]
    # Altair would check each part of each chart against the schema, half of the time in Python.
    with debug_mode(False):
        texts = {f"{page.slug}.html": markup.render(page, links, stamp) for page in pages}
    for name in _ASSETS:
        texts[name] = _asset(name)
    try:
        with replacing(folder) as new:
            for name, text in texts.items():
                (new / name).write_text(text, encoding="utf-8")
            if browser_files:
                _add_sql(connection, new / "sql", browser_files)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot be written: {error.strerror}; free some space or"
            " get permission, then run again"
        ) from error
    return [folder / f"{slug}.html" for slug, _ in links]


def _asset(name: str) -> str:
    return (files("dashboard") / "assets" / name).read_text(encoding="utf-8")


def _add_sql(
    connection: duckdb.DuckDBPyConnection, folder: Path, browser_files: list[Path]
) -> None:
    """Add the database that the SQL page asks, without personal columns, and what reads it."""
    folder.mkdir()
    for file in browser_files:
        try:
            # 36 MB: a link costs nothing.
            os.link(file, folder / file.name)
        except OSError:
            shutil.copyfile(file, folder / file.name)
    for name in _SQL_ASSETS:
        (folder / name).write_text(_asset(name), encoding="utf-8")
    duckdb_file.write_gold(connection, folder / "gold.duckdb")


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a folder to write to, then put it in the place of the other: readers see a whole site.

    If the block fails, the older site stays.
    """
    new, old = (folder.with_name(f".{folder.name}.{kind}") for kind in ("new", "old"))
    # A process that was killed between the two renames left the last good site here.
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
