"""Shops whose dashboards are looked at: one of two months, one of a day, one without an event."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from time import monotonic, sleep
from typing import Final

import duckdb

from dashboard import site, wasm
from project.errors import UserError
from support.databricks_runs import WITHOUT_TESTS
from support.event_batches import line, repeat_buyers, write
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


@dataclass(frozen=True)
class Shops:
    """The three shops; the one of two months is served."""

    months: Shop
    day: Shop
    empty: Shop
    address: str
    """Where `ecommerce dashboard --serve` serves the site of two months, with `/` at the end."""
    no_wasm: str
    """Why there is no SQL page: DuckDB for the browser cannot be fetched; empty where there is."""


@contextmanager
def built_shops(folder: Path) -> Iterator[Shops]:
    """Build all three; one home after the other, so that dbt parses once."""
    home = Home(folder / "home")
    write(folder / "day" / "day.csv", _one_day())
    home.load(folder / "day")
    home.dbt("build", *WITHOUT_TESTS)
    shutil.copyfile(home.database, folder / "day.duckdb")
    shutil.copyfile(home.database, folder / "empty.duckdb")
    _empty(folder / "empty.duckdb")
    home.database.unlink()
    write(folder / "planted" / "planted.csv", [*_hostile(), *_planted(), *_faulty()])
    home.load(folder / "planted")
    files = folder / "files"
    home.run("generate", "--events", str(EVENTS), "--days", "61", "--out", str(files))
    _end_at_noon(files / "events_2019-11-10.csv")
    home.load(files)
    home.dbt("build", *WITHOUT_TESTS, "--write-json", DBT_WRITE_JSON="true")
    home.run("dictionary")
    _add_test_results(home.database)
    no_wasm = _fetch_wasm(home.folder / "duckdb_wasm")
    with _serving(home) as address:
        site = home.folder / "dashboard"
        months = Shop(home, site, tuple(sorted(page.stem for page in site.glob("*.html"))))
        day, empty = (_site(home, folder, name) for name in ("day", "empty"))
        yield Shops(months, day, empty, address, no_wasm)


def _fetch_wasm(folder: Path) -> str:
    try:
        wasm.fetch(folder)
    except UserError as error:
        return str(error)
    return ""


@contextmanager
def _serving(home: Home) -> Iterator[str]:
    """Write the site of a home and serve it by the command, which Ctrl-C ends."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = home.start("dashboard", "--serve", "--port", str(port))
    address = f"http://127.0.0.1:{port}/"
    deadline = monotonic() + 120
    while f"serving {address}" not in run.printed():
        assert run.is_running() and monotonic() < deadline, run.ends().stderr
        sleep(0.05)
    try:
        yield address
    finally:
        os.kill(run.pid, signal.SIGINT)
        run.ends()


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


def _planted() -> list[str]:
    """Return what a small shop has too little of, so that no figure is empty.

    These are enough repeat buyers for the lifetime value model, a pair of products of one brand
    that is bought together, and a price cut with enough views on both sides.
    """
    pairs = [
        line(
            f"2019-10-{5 + user % 24:02d} 09:{minute}:00",
            "purchase",
            product=product,
            brand="pairs",
            code="apparel.shoes",
            price=price,
            user=user,
            session=f"p{user}",
        )
        for user in range(100, 130)
        for product, minute, price in ((81, 10, "20.00"), (82, 12, "15.50"))
    ]
    return [*repeat_buyers(300), *pairs, *_price_cut()]


def _price_cut() -> list[str]:
    """Return views and purchases of ten days at each of two prices."""
    return [
        line(
            f"2019-10-{8 + number // 60:02d} {8 + number % 10:02d}:{number % 60:02d}:30",
            kind,
            product=83,
            brand="cut",
            price="40.00" if number < 600 else "30.00",
            user=200 + number,
            session=f"c{number}",
        )
        for number in range(1200)
        for kind in ("view", "purchase")
        if kind == "view" or number % (25 if number < 600 else 10) == 0
    ]


def _faulty() -> list[str]:
    """Return lines that break a rule, and one line twice."""
    return [
        line("2019-11-05 10:00:00", price="-1.00", session="f1"),
        line("2019-11-05 11:00:00", user=2, session=" "),
        *[line("2019-11-05 12:00:00", user=3, session="f3")] * 2,
    ]


def _add_test_results(database: Path) -> None:
    """Add results of tests, which these builds leave out: one failed and healed, one fails yet."""
    with duckdb.connect(str(database)) as connection:
        connection.executemany(
            "insert into silver_layer.test_history by name"
            " select ? as invocation_id, ? as started_at, 'local' as target, ? as test_name,"
            " 'orders' as table_name, ? as status, ? as failures, 'error' as severity,"
            " 0.1 as seconds",
            [
                ("a", "2019-12-01 08:00:00", "healed", "fail", 3),
                ("b", "2019-12-02 08:00:00", "healed", "pass", 0),
                ("b", "2019-12-02 08:00:00", "other", "pass", 0),
                ("b", "2019-12-02 08:00:00", "open", "warn", 1),
            ],
        )


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
    site_folder = folder / f"site_{name}"
    with duckdb.connect(str(folder / f"{name}.duckdb"), read_only=True) as connection:
        pages = site.build(
            connection, site_folder, home.folder / "dictionary.json", folder / "no_wasm"
        )
    shop = Home(folder / name)
    shop.database = folder / f"{name}.duckdb"
    return Shop(shop, site_folder, tuple(page.stem for page in pages))
