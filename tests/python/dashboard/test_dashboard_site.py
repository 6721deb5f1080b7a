"""The site as files: text is escaped, an older site outlives a failure, errors name the remedy."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from xml.etree import ElementTree

import duckdb
import pytest
import yaml

from dashboard import drawing, figures, markup, serve, site, wasm
from dashboard.elements import Column, Figure, Page, Section, Tile
from dashboard.formats import Change
from dashboard.pages import dictionary, sql
from dashboard.tables import Query, Row, Tables, read_queries
from ecommerce import cli
from project.errors import UserError
from project.home import CHECKOUT
from project.questions import read_questions

STAMP = markup.Stamp(None, None, None, datetime(2020, 1, 2, 3, 4))
HOSTILE = "</script><b>\"'&"


def rendered(*figures_: Figure, tiles: tuple[Tile, ...] = ()) -> str:
    page = Page("index", HOSTILE, HOSTILE, [Section(HOSTILE, figures_, tiles, HOSTILE)])
    return markup.render(page, [("index", HOSTILE)], STAMP)


def figure(rows: list[dict[str, object]]) -> Figure:
    return Figure(
        "names",
        HOSTILE,
        HOSTILE,
        (Column("name", HOSTILE), Column("revenue", "Revenue", "money")),
        rows,
        figures.ranked_bars(rows, "name", "revenue", "money"),
        legend=(("swatch-1", HOSTILE),),
    )


def test_text_is_escaped_in_every_place() -> None:
    tile = Tile(HOSTILE, HOSTILE, HOSTILE, Change(None, HOSTILE), HOSTILE)
    html = rendered(figure([{"name": HOSTILE, "revenue": 5.0}]), tiles=(tile,))
    assert "<b>" not in html
    # The page has one script, its own.
    assert html.count("</script>") == 1
    # Title, page, lead, link, section, note, four of the tile, figure: each is there as text.
    assert html.count("&lt;/script&gt;&lt;b&gt;") >= 14


def test_characters_that_a_picture_cannot_have_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The file of a shop may have any character in a brand, and one of these would end the process.
    codes = [*range(0x20), 0x7F, 0x85, 0xFFFE, 0xFFFF]
    names = [f"select chr({code}) || 'x' as name, 5.0 as revenue" for code in codes]
    query = Query(" union all ".join(names), is_optional=False)
    monkeypatch.setattr("dashboard.tables.read_queries", lambda _: {"names": query})
    with duckdb.connect() as connection:
        rows = Tables(connection).rows("page", "names")
    drawn = [row["name"] for row in rows if row["name"] != "\ufffdx"]
    assert drawn == ["\tx", "\nx", "\rx"]
    draw = figure([dict(row) for row in rows]).draw
    assert draw is not None
    ElementTree.fromstring(drawing.to_svg(draw(400), "names", "chart"))


def test_days_of_each_kind_are_drawn_in_their_own_way() -> None:
    rows: list[dict[str, object]] = [
        {
            "event_date": date(2019, 11, day),
            "day_kind": kind,
            "is_complete": kind == "complete",
            "sessions": 10,
        }
        for day, kind in ((1, "complete"), (2, "incomplete"), (3, "catch_up"))
    ]
    draw = figures.daily_bars(rows, "sessions", "integer")
    html = rendered(Figure("days", "", "", (Column("sessions", "Sessions"),), rows, draw))
    fills = dict(re.findall(r'<path aria-label="([^"]*)" role[^>]* fill="([^"]*)"', html))
    assert fills == {
        "1 Nov 2019: sessions 10": "var(--accent)",
        "2 Nov 2019: sessions 10, incomplete day": "url(#hatch)",
        "3 Nov 2019: sessions 10, catch-up day": "url(#catch-up)",
    }
    assert all(html.count(f'<pattern id="{name}"') == 1 for name in ("hatch", "catch-up"))


def test_data_of_one_day_have_one_date() -> None:
    stamp = replace(STAMP, first_date=date(2019, 11, 1), last_date=date(2019, 11, 1))
    html = markup.render(Page("index", "", "", []), [], stamp)
    assert "Data of <b>1 Nov 2019</b></p>" in html


def test_a_csv_has_at_least_the_digits_that_are_shown() -> None:
    columns = (Column("events", "Events", "decimal"), Column("share", "Share", "percent"))
    rows: list[Row] = [
        {"events": 75136.674, "share": 1 / 3},
        {"events": Decimal("1234567.8"), "share": 0.00001234},
    ]
    html = rendered(Figure("events", "Events", "", columns, rows))
    cells = re.findall(r'<td data-raw="([^"]*)" class="n">([^<]*)</td>', html)
    assert cells == [
        ("75136.67", "75,136.67"),
        ("0.333333", "33.3%"),
        ("1234567.80", "1,234,567.80"),
        ("1.234e-05", "&lt; 0.01%"),
    ]


def test_a_figure_without_rows_says_so() -> None:
    html = rendered(figure([]))
    assert markup.NO_ROWS in html
    assert "<svg class" not in html
    assert "No events yet" in html


def test_two_rows_of_one_name_have_two_bars() -> None:
    html = rendered(figure([{"name": "a", "revenue": 5.0}, {"name": "a", "revenue": 3.0}]))
    assert 'aria-label="a: 5.00"' in html
    assert 'aria-label="a: 3.00"' in html


@pytest.mark.parametrize("before", [None, "fonts of the machine"])
def test_drawing_leaves_the_fonts_of_other_programs_alone(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv("FONTCONFIG_FILE", raising=False)
    if before:
        monkeypatch.setenv("FONTCONFIG_FILE", before)
    assert "<svg class" in rendered(figure([{"name": "a", "revenue": 5.0}]))
    assert os.environ.get("FONTCONFIG_FILE") == before


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path / "home"))
    return tmp_path.resolve() / "home"


def test_no_database_names_the_remedy(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dashboard"]) == 2
    error = capsys.readouterr().err
    assert "there is no database yet" in error
    assert "make run" in error
    assert not home.exists()


def test_missing_tables_name_the_remedy_and_keep_the_last_pages(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "dashboard").mkdir(parents=True)
    (home / "dashboard" / "index.html").write_text("the last good page")
    duckdb.connect(str(home / "ecommerce_analytics_local.duckdb")).close()
    assert cli.main(["dashboard"]) == 2
    error = capsys.readouterr().err
    assert "shop.state" in error
    assert "make run" in error
    assert (home / "dashboard" / "index.html").read_text() == "the last good page"


def test_a_failure_while_writing_keeps_the_last_site(tmp_path: Path) -> None:
    folder = tmp_path / "dashboard"
    folder.mkdir()
    (folder / "index.html").write_text("old")
    with pytest.raises(OSError, match="full"), site.replacing(folder) as new:
        (new / "index.html").write_text("half")
        raise OSError("disk full")
    assert (folder / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["dashboard"]


def test_a_site_left_between_two_renames_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "dashboard"
    (tmp_path / ".dashboard.old").mkdir()
    (tmp_path / ".dashboard.old" / "index.html").write_text("old")
    with pytest.raises(ValueError, match="no page"), site.replacing(folder):
        raise ValueError("no page")
    assert (folder / "index.html").read_text() == "old"


def test_only_queries_of_optional_tables_may_fail() -> None:
    with duckdb.connect() as connection:
        tables = Tables(connection)
        assert tables.optional_rows("trust", "runs") is None
        with pytest.raises(UserError, match="make run"):
            tables.optional_rows("trust", "reasons")
    assert not read_queries("shop")["days"].is_optional


def test_the_dictionary_page_says_where_there_is_none(tmp_path: Path) -> None:
    assert "dictionary" in dictionary.build(tmp_path / "none.json").sections[0].note
    (tmp_path / "bad.json").write_text("{")
    assert "is not a dictionary" in dictionary.build(tmp_path / "bad.json").sections[0].note


def test_the_sql_page_has_all_questions_as_text() -> None:
    questions = read_questions()
    page = sql.build(questions)
    assert page.extra.count("<option") == page.extra.count("data-question=") == len(questions) == 30


def program(folder: Path, text: str) -> None:
    folder.mkdir()
    file = folder / "npm"
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_only_files_of_the_pinned_hashes_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match="npm is missing"):
        wasm.fetch(tmp_path / "kept")
    # A registry that has other packages under these names.
    program(
        tmp_path / "bin",
        '#!/bin/bash\ncd "${@: -1}" && mkdir -p package/dist'
        " && for name in dist/duckdb-eh.wasm dist/duckdb-browser-eh.worker.js"
        " dist/duckdb-browser.mjs Arrow.es2015.min.js; do echo other > package/$name; done"
        " && tar czf duckdb-duckdb-wasm-1.32.0.tgz package"
        " && tar czf apache-arrow-17.0.0.tgz package\n",
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    with pytest.raises(UserError, match="is not the file that was tried"):
        wasm.fetch(tmp_path / "kept")
    assert not wasm.files(tmp_path / "kept")
    program(tmp_path / "offline", "#!/bin/sh\necho 'no registry answers' >&2\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'offline'}{os.pathsep}/bin")
    with pytest.raises(UserError, match="no registry answers"):
        wasm.fetch(tmp_path / "kept")


def test_the_server_answers_this_machine_by_its_own_name_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("page")
    with serve.server(tmp_path, 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        known = (f"127.0.0.1:{port}", f"localhost:{port}", "localhost")
        assert [status_of(port, "/", host) for host in known] == [200, 200, 200]
        others = (f"evil.example:{port}", "evil.example", f"localhost.evil.example:{port}", "")
        assert [status_of(port, "/", host) for host in others] == [403] * len(others)
        assert status_of(port, "/index.html%00", known[0]) == 404
        with pytest.raises(UserError, match="--port"):
            serve.server(tmp_path, port)
        server.shutdown()


def status_of(port: int, path: str, host: str) -> int:
    """Return the status of a request that names a host."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    status = connection.getresponse().status
    connection.close()
    return status


def test_lineage_ends_at_the_page_that_reads_a_table() -> None:
    declared = yaml.safe_load((CHECKOUT / "models" / "exposures.yml").read_text("utf-8"))
    exposures = {
        exposure["name"].removeprefix("dashboard_"): set(
            re.findall(r"ref\('(\w+)'\)", " ".join(exposure["depends_on"]))
        )
        for exposure in declared["exposures"]
    }
    marts = re.compile(r"(?:from|join)\s+gold_layer\.(\w+)")
    folder = CHECKOUT / "dashboard"
    read = {
        file.stem: set(marts.findall(file.read_text("utf-8")))
        for file in (folder / "queries").glob("*.sql")
    }
    # Figures of the whole shop, which the overview shows first.
    read["overview"] = read.pop("shop")
    for page in read:
        text = (folder / "pages" / f"{page}.py").read_text("utf-8")
        for query in re.findall(r'"shop", "(\w+)"', text):
            read[page].update(marts.findall(read_queries("shop")[query].sql))
    assert len(read) >= 10
    for page, tables in read.items():
        missing = ", ".join(sorted(tables - exposures[page]))
        assert not missing, f"dashboard_{page} in models/exposures.yml lacks {missing}: add them"


def test_text_on_every_shade_of_a_heat_map_can_be_read() -> None:
    css = (CHECKOUT / "dashboard" / "assets" / "site.css").read_text("utf-8")
    blocks = [dict(re.findall(r"(--[\w-]+): (#\w{6});", block)) for block in css.split("{")]
    themes = [block for block in blocks if "--ramp0" in block]
    # Light, dark by the system and by choice, paper.
    assert len(themes) == 4
    for theme in themes:
        shades = [luminance(theme[f"--ramp{step}"]) for step in range(len(figures.RAMP))]
        assert shades in (sorted(shades), sorted(shades, reverse=True))
        for step, shade in enumerate(shades):
            ink = luminance(theme["--ramp-ink-dark" if step >= 4 else "--ramp-ink"])
            # WCAG 2.2, AA for text of normal size.
            assert (max(ink, shade) + 0.05) / (min(ink, shade) + 0.05) >= 4.5, (step, theme)


def luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb` as WCAG defines it."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
