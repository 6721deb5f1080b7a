"""Every page in a real browser: its numbers are those of SQL on silver, and people can use it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, Request

from project.questions import read_questions
from support import dashboard_sql
from support.browser import running_browser
from support.built_shops import HOSTILE, Shop, Shops, built_shops
from support.shown_values import is_value, numbers_are_of, unread

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

WIDE, NARROW = 1280, 390
# What a page shows: a cell is `=` and its exact value if it has one, else its text.
READ: Final = """() => {
  const raw = (cell) => cell.dataset.raw === undefined
    ? cell.textContent.replaceAll("\\u2212", "-") : `=${cell.dataset.raw}`;
  const figures = {};
  for (const figure of document.querySelectorAll("figure")) {
    figures[figure.id] = {
      title: figure.querySelector("h3").textContent,
      columns: [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent),
      rows: [...figure.querySelectorAll("tbody tr")].map((row) => [...row.cells].map(raw)),
      marks: [...(figure.querySelector("svg.chart")?.querySelectorAll(
        "[role=graphics-symbol][aria-label]") ?? [])].filter(
        (mark) => !["axis", "header", "title"].includes(
          mark.getAttribute("aria-roledescription"))).map(
        (mark) => mark.getAttribute("aria-label")),
    };
  }
  const tiles = {};
  for (const section of document.querySelectorAll("section")) {
    for (const tile of section.querySelectorAll(".tile")) {
      tiles[section.querySelector("h2").textContent + ": " + tile.querySelector("dt").textContent] =
        [tile.querySelector("data").value, tile.querySelector("data").textContent,
         tile.querySelector(".change").textContent];
    }
  }
  return {tiles, figures, text: document.body.innerText,
          overflow: document.documentElement.scrollWidth - innerWidth};
}"""
# Rows of one table, entries of the dictionary and marks of one chart are alike, and axe takes
# seconds for all of them: it judges the first ones.
AXE: Final = """async () => {
  const alike = [".entry:not(#orders)", "tbody tr:nth-child(n+6)",
                 ".chart [role=graphics-symbol]:nth-of-type(n+9)"];
  for (const element of document.querySelectorAll(alike)) element.remove();
  const found = await axe.run(document, {resultTypes: ["violations"], preload: false});
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => [one.id, one.nodes.slice(0, 3).map((node) => node.html)]);
}"""
# Chooses a question and runs its query; returns columns and rows.
ASK: Final = """async (number) => {
  const get = (id) => document.getElementById(id);
  get("question").value = number;
  get("question").dispatchEvent(new Event("change"));
  get("run").click();
  while (get("run").disabled) await new Promise((resolve) => setTimeout(resolve, 10));
  const table = get("result").querySelector("table");
  if (!table || !/ rows?, /.test(get("status").textContent)) return get("status").textContent;
  return [[...table.tHead.rows[0].cells].map((cell) => cell.textContent),
          [...table.tBodies[0].rows].map((row) => [...row.cells].map(
            (cell) => cell.dataset.raw === "" ? null : cell.textContent))];
}"""
# Columns that hold or name a person.
PERSONAL: Final = ("user_id", "session_id", "user_session")


@dataclass(frozen=True)
class View:
    """A page as a browser shows it."""

    content: dict[str, Any]
    requests: list[str]
    """Addresses of other hosts that it asked for."""
    errors: list[str]
    violations: list[Any]
    """Serious findings of axe, with the elements."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture(scope="module")
def shops(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    with built_shops(tmp_path_factory.mktemp("shops")) as found:
        yield found


@dataclass
class Tab:
    """A tab that reaches files and perhaps one address; it collects other requests and errors."""

    page: Page
    reached: re.Pattern[str]
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._record)
        self.page.on("console", lambda line: self._log(line.text, line.type))
        self.page.on("pageerror", lambda error: self._log(str(error), "error"))

    def _record(self, request: Request) -> None:
        if not self.reached.match(request.url):
            self.requests.append(request.url)

    def _log(self, text: str, kind: str) -> None:
        if kind == "error":
            self.errors.append(text)


@contextmanager
def tab_of(browser: Browser, address: str = "file:", **options: Any) -> Iterator[Tab]:
    """Open a tab in a context of its own that reaches nothing but an address."""
    context = browser.new_context(**{"viewport": {"width": WIDE, "height": 800}, **options})
    reached = f"({re.escape(address)}|file:|data:|blob:)"
    context.route(re.compile(f"^(?!{reached})"), lambda route: route.abort())
    yield Tab(context.new_page(), re.compile(reached))
    context.close()


def visited(browser: Browser, shop: Shop, width: int, theme: Any, name: str) -> dict[str, View]:
    """Load every page once, read and judge it, and keep a picture where that is asked for."""
    pictures = os.environ.get("DASHBOARD_PICTURES")
    axe = Path(AXE_FILE_PATH).read_text("utf-8")
    size = {"width": width, "height": 800}
    views = {}
    with tab_of(browser, viewport=size, color_scheme=theme) as tab:
        for page in shop.pages:
            tab.requests, tab.errors = [], []
            tab.page.goto((shop.site / f"{page}.html").as_uri())
            content = tab.page.evaluate(READ)
            if pictures:
                file = Path(pictures, f"{name}_{page}_{width}_{theme}.png")
                tab.page.screenshot(path=file, full_page=True)
            tab.page.evaluate(axe)
            violations = tab.page.evaluate(AXE)
            views[page] = View(content, tab.requests, tab.errors, violations)
    return views


@pytest.fixture(scope="module")
def wide(browser: Browser, shops: Shops) -> dict[str, View]:
    return visited(browser, shops.months, WIDE, "light", "months")


@pytest.fixture(scope="module")
def tiles(wide: dict[str, View]) -> dict[str, list[str]]:
    """The value, the text and the line below of each tile."""
    return {
        f"{page}/{name}": tile
        for page, view in wide.items()
        for name, tile in view.content["tiles"].items()
    }


@pytest.fixture(scope="module")
def figures(wide: dict[str, View]) -> dict[str, dict[str, Any]]:
    return {
        name: figure for view in wide.values() for name, figure in view.content["figures"].items()
    }


@pytest.fixture(scope="module")
def events(shops: Shops) -> Iterator[duckdb.DuckDBPyConnection]:
    with dashboard_sql.connected(str(shops.months.home.database)) as connection:
        yield connection


@pytest.fixture(scope="module")
def expected(events: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each figure by SQL."""
    return {name: events.execute(query).fetchall() for name, query in dashboard_sql.FIGURES.items()}


def assert_usable(views: dict[str, View]) -> None:
    for page, view in views.items():
        assert not view.requests, page
        assert not view.errors, page
        assert view.content["overflow"] <= 0, page
        assert not view.violations, page


def test_pages_ask_no_other_host_log_no_error_and_are_accessible(wide: dict[str, View]) -> None:
    assert_usable(wide)
    assert len(wide) >= 11


def test_pages_fit_a_phone_in_the_dark(browser: Browser, shops: Shops) -> None:
    assert_usable(visited(browser, shops.months, NARROW, "dark", "months"))


def test_tiles_are_what_sql_counts(
    tiles: dict[str, list[str]], events: duckdb.DuckDBPyConnection
) -> None:
    assert set(tiles) == set(dashboard_sql.TILES), "TILES in tests/support/dashboard_sql.py"
    for name, query in dashboard_sql.TILES.items():
        [(value,)] = events.execute(query).fetchall()
        exact, text, _ = tiles[name]
        assert str(value) == exact or float(exact) == pytest.approx(float(value)), name
        assert unread(text, [value]) in ("", " of 61"), (name, text, value)


def test_lines_below_tiles_compare_what_sql_counts(
    tiles: dict[str, list[str]], events: duckdb.DuckDBPyConnection
) -> None:
    lines = {name: line for name, (_, _, line) in tiles.items()}
    assert all(lines.values())
    assert {name for name, line in lines.items() if has_number(line)} == set(dashboard_sql.CHANGES)
    for name, query in dashboard_sql.CHANGES.items():
        [row] = events.execute(query).fetchall()
        assert not has_number(unread(lines[name], row)), (name, lines[name], row)


def has_number(text: str | None) -> bool:
    return text is None or re.search(r"\d", text) is not None


def test_every_figure_has_sql_and_rows(figures: dict[str, dict[str, Any]]) -> None:
    for name in ("FIGURES", "TITLES"):
        found = set(getattr(dashboard_sql, name))
        assert set(figures) == found, f"{name} in tests/support/dashboard_sql.py"
    # Without rows it would be compared with nothing.
    assert not [name for name, figure in figures.items() if not figure["rows"]]


@pytest.mark.parametrize("name", dashboard_sql.FIGURES)
def test_all_columns_of_a_figure_are_what_sql_counts(
    name: str, figures: dict[str, dict[str, Any]], expected: dict[str, list[tuple[Any, ...]]]
) -> None:
    rows = figures[name]["rows"]
    assert len(rows) == len(expected[name])
    for cells, values in zip(rows, expected[name], strict=True):
        assert len(cells) == len(values)
        wrong = [pair for pair in zip(cells, values, strict=True) if not is_value(*pair)]
        assert not wrong, (cells, values)


def test_labels_of_charts_are_what_sql_counts(
    figures: dict[str, dict[str, Any]], expected: dict[str, list[tuple[Any, ...]]]
) -> None:
    labels = 0
    for name, figure in figures.items():
        if not (marks := figure["marks"]):
            continue
        rows = iter(expected[name])
        for label in marks:
            shown = label.rpartition(": ")[2]
            # A value that is null has no bar, and a cell of it says so.
            row = next(rows)
            while None in row and not is_label(shown, row):
                row = next(rows)
            assert is_label(shown, row), (name, label, row)
            labels += 1
        assert all(None in row for row in rows), name
    assert labels > 1000


def is_label(text: str, row: tuple[Any, ...]) -> bool:
    return numbers_are_of(text, row) or (text == "not observed yet" and None in row)


@pytest.mark.parametrize("name", dashboard_sql.TITLES)
def test_a_title_says_what_sql_finds(
    name: str, figures: dict[str, dict[str, Any]], events: duckdb.DuckDBPyConnection
) -> None:
    columns = ", ".join(f'"{column}"' for column in unique(figures[name]["columns"]))
    figure = f"with figure({columns}) as ({dashboard_sql.FIGURES[name]})"
    [row] = events.execute(f"{figure} {dashboard_sql.TITLES[name]}").fetchall()
    assert not has_number(unread(figures[name]["title"], row)), (figures[name]["title"], row)


def unique(names: Sequence[str]) -> list[str]:
    """Return the names, those that are there before with their place behind them."""
    return [
        f"{name}_{place}" if name in names[:place] else name for place, name in enumerate(names)
    ]


def test_days_that_are_not_complete_are_marked(wide: dict[str, View], shops: Shops) -> None:
    marked = shops.months.home.query(
        "select strftime(event_date, '%-d %b %Y'), replace(day_kind, '_', '-')"
        " from gold_layer.daily_sales_summary where day_kind <> 'complete'"
    )
    assert marked
    labels = wide["index"].content["figures"]["index-revenue-by-day"]["marks"]
    for day, kind in marked:
        assert any(label.startswith(day) and f"{kind} day" in label for label in labels), day
    assert sum("incomplete day" in label or "catch-up day" in label for label in labels) == len(
        marked
    )


def test_no_page_shows_a_person(wide: dict[str, View], shops: Shops) -> None:
    users = shops.months.home.query("select user_id from silver_layer.users_dim limit 2000")
    for page, view in wide.items():
        if page == "dictionary":
            # Describes all columns, and has no value.
            continue
        shown = view.content["text"]
        assert not [name for name in PERSONAL if re.search(rf"\b{name}\b", shown)], page
        html = (shops.months.site / f"{page}.html").read_text("utf-8")
        assert not [user for (user,) in users if user > 10_000_000 and str(user) in html], page


def test_text_of_the_data_is_no_markup(wide: dict[str, View], shops: Shops) -> None:
    brands = wide["index"].content["figures"]["index-brands"]
    assert brands["rows"][0][0] == HOSTILE.lower() or brands["rows"][0][0] == HOSTILE
    for page in shops.months.pages:
        html = (shops.months.site / f"{page}.html").read_text("utf-8")
        assert "<img" not in html, page
        assert "<b>smart" not in html, page


def test_pages_are_small(shops: Shops) -> None:
    for shop in (shops.months, shops.day, shops.empty):
        for file in shop.site.iterdir():
            assert file.stat().st_size <= 2_000_000, file


def test_paper_has_what_the_screen_shows_but_its_controls(browser: Browser, shops: Shops) -> None:
    with tab_of(browser, color_scheme="dark") as tab:
        page = tab.page
        page.goto((shops.months.site / "index.html").as_uri())
        page.emulate_media(media="print")
        headings = page.locator("th").filter(visible=True).all_inner_texts()
        assert headings[0] == "Metric"
        assert page.locator("#theme, .csv, nav").filter(visible=True).count() == 0
        body, adjusted = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('.swatch')).printColorAdjust]"
        )
        assert (body, adjusted) == ("rgb(255, 255, 255)", "exact")
        page.goto((shops.months.site / "dictionary.html").as_uri())
        assert "orders" in page.locator("h3").filter(visible=True).all_inner_texts()
        assert not page.locator("#search").is_visible()


def test_tables_sort_by_keyboard_and_give_csv(browser: Browser, shops: Shops) -> None:
    site = shops.months.site
    with tab_of(browser) as tab:
        page = tab.page
        page.goto((site / "products.html").as_uri())
        table = page.locator("#products-best table")
        heading = table.locator("th", has_text="Units")
        heading.locator("button").focus()
        for expected in ("ascending", "descending"):
            page.keyboard.press("Enter")
            assert heading.get_attribute("aria-sort") == expected
            texts = table.locator("tbody td:nth-child(7)").all_text_contents()
            units = [int(text.replace(",", "")) for text in texts]
            assert units == sorted(units, reverse=expected == "descending")
        with page.expect_download() as download:
            page.locator("#products-best .csv").click()
        assert download.value.suggested_filename == "products-best.csv"
        text = Path(download.value.path()).read_text("utf-8")
        assert text[0] == "\ufeff"
        lines = text[1:].splitlines()
        assert lines[0].startswith("Product,Brand,Category,Class,Revenue")
        assert len(lines) == 1 + len(units)
        page.locator("#theme").click()
        theme = page.evaluate("document.documentElement.dataset.theme")
        page.goto((site / "sales.html").as_uri())
        assert page.evaluate("document.documentElement.dataset.theme") == theme == "dark"
        page.goto((site / "dictionary.html").as_uri())
        entries = page.locator(".entry").count()
        assert page.locator(".entry:visible").count() == entries
        page.fill("#search", "pareto_class")
        found = page.locator(".entry:visible").count()
        assert 1 <= found < entries
        assert (page.locator("#found").text_content() or "").startswith(f"{found} table")
        assert page.locator("tr.match").first.is_visible()
        page.fill("#search", "confidence_b_to_a")
        assert page.locator("#found").text_content() == "1 table, 1 column"
        assert not tab.errors


def test_figures_are_there_without_scripts(browser: Browser, shops: Shops) -> None:
    with tab_of(browser, java_script_enabled=False) as tab:
        tab.page.goto((shops.months.site / "index.html").as_uri())
        figure = tab.page.locator("#index-revenue-by-day")
        assert figure.locator("svg.chart:visible").count() == 1
        figure.locator("summary").click()
        assert figure.locator("tbody tr:visible").count() == 61
        assert not tab.page.locator("#theme").is_visible()


@pytest.mark.parametrize("name", ["day", "empty"])
def test_small_shops_have_all_pages(
    name: str, browser: Browser, shops: Shops, wide: dict[str, View]
) -> None:
    views = visited(browser, getattr(shops, name), NARROW, "light", name)
    assert_usable(views)
    assert set(views) == set(wide) - {"sql"}
    text = " ".join(view.content["text"] for view in views.values())
    for page, view in views.items():
        # The dictionary says of columns when they are null.
        if page != "dictionary":
            assert not re.search(r"\b(None|nan|NaN|undefined|null|inf)\b", view.content["text"]), (
                page
            )
    if name == "day":
        tile = views["index"].content["tiles"]["The last 28 days: Revenue"]
        assert tile[1] == "100"
        assert "no full period before" in tile[2]
    else:
        assert "nothing to show here" in text


def test_the_sql_page_answers_the_questions_as_duckdb_does(browser: Browser, shops: Shops) -> None:
    if shops.no_wasm:
        pytest.skip(shops.no_wasm)
    questions = read_questions()
    with (
        tab_of(browser, shops.address) as tab,
        duckdb.connect(str(shops.months.home.database), read_only=True) as connection,
    ):
        tab.page.goto(f"{shops.address}sql.html")
        assert tab.page.locator("#question option").count() == len(questions)
        for question in questions:
            answer = tab.page.evaluate(ASK, str(question.number))
            result = connection.execute(f"select columns(*)::varchar from ({question.sql})")
            columns = [name for name, *_ in result.description or []]
            assert answer == [columns, [list(row) for row in result.fetchall()]], question.title
        assert not tab.requests
        assert not tab.errors
