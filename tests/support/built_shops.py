"""Shops whose dashboards are looked at: one of two months, one of a day, one without an event."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from dashboard import site
from support.databricks_runs import WITHOUT_TESTS
from support.event_batches import line, write
from support.platform_runs import LAYERS, Home

# What a page must show as text. The loader keeps it: a brand is any text.
HOSTILE: Final = "</script><img src=x onerror=alert(1)>&amp;"
EVENTS: Final = 20_000


@dataclass(frozen=True)
class Shop:
    """A built home with its site."""

    home: Home
    site: Path
    pages: tuple[str, ...]
    """Names of the files, without `.html`."""


def build_shops(folder: Path) -> dict[str, Shop]:
    """Build all three; one home after the other, so that dbt parses once."""
    home = Home(folder / "home")
    write(folder / "day" / "day.csv", _one_day())
    home.load(folder / "day")
    home.dbt("build", *WITHOUT_TESTS)
    shutil.copyfile(home.database, folder / "day.duckdb")
    shutil.copyfile(home.database, folder / "empty.duckdb")
    _empty(folder / "empty.duckdb")
    home.database.unlink()
    write(folder / "hostile" / "hostile.csv", _hostile())
    home.load(folder / "hostile")
    files = folder / "files"
    home.run("generate", "--events", str(EVENTS), "--days", "61", "--out", str(files))
    _end_at_noon(files / "events_2019-11-10.csv")
    home.load(files)
    home.dbt("build", *WITHOUT_TESTS, "--write-json", DBT_WRITE_JSON="true")
    home.run("dictionary")
    shutil.copyfile(home.database, folder / "months.duckdb")
    return {name: _site(home, folder, name) for name in ("months", "day", "empty")}


def _one_day() -> list[str]:
    return [
        line("2019-10-01 10:00:00"),
        line("2019-10-01 10:05:00", "cart"),
        line("2019-10-01 10:10:00", "purchase"),
        line("2019-10-01 12:00:00", user=2, session="s2"),
    ]


def _hostile() -> list[str]:
    """Return orders that make a brand with markup the first of all lists."""
    return [
        line(
            f"2019-11-{day} 10:00:00",
            kind,
            product=77,
            brand=HOSTILE,
            code="electronics.<b>smart</b>",
            price="90000.00",
            user=1,
            session=f"h{day}",
        )
        for day in range(20, 29)
        for kind in ("view", "purchase")
    ]


def _end_at_noon(file: Path) -> None:
    """Cut a day's file, so that one day is incomplete."""
    header, *lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line[11:13] < "12"]
    assert 0 < len(kept) < len(lines)
    file.write_text("".join([header, *kept]), "utf-8")


def _empty(database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            f" where table_type = 'BASE TABLE' and table_schema in {(*LAYERS, 'bronze_layer')}"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"delete from {table}")


def _site(home: Home, folder: Path, name: str) -> Shop:
    with duckdb.connect(str(folder / f"{name}.duckdb"), read_only=True) as connection:
        pages = site.build(
            connection,
            folder / f"site_{name}",
            home.folder / "dictionary.json",
            # Without DuckDB for the browser, which is fetched.
            folder / "no_wasm",
        )
    shop = Home(folder / name)
    shop.database = folder / f"{name}.duckdb"
    return Shop(shop, folder / f"site_{name}", tuple(page.stem for page in pages))
