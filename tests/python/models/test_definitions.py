"""A build whose definitions differ from those of the tables stops before it changes anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from project.home import CHECKOUT
from project.variables import project_variables
from support.event_batches import line, write
from support.platform_runs import WITHOUT_ARTIFACTS, Home, differences, run_dbt
from support.recorded_builds import recorded_runs

pytestmark = pytest.mark.slow

# Each file has what each changed definition decides otherwise: a pause of 25 minutes, a price above
# 100, a type, a word, and the old one a day as well.
OLD = [
    line("2019-10-01 10:00:00", user=5, session="s5"),
    line("2019-10-02 10:00:00", price="50.00"),
    line("2019-10-02 10:25:00", price="50.00", brand="sony"),
    line("2019-10-02 10:26:00", price="150.00"),
    line("2019-10-02 10:27:00", "teleport"),
    line("2019-10-02 10:00:00", user=2, session="s2", price="-1"),
]
NEW = [
    line("2019-10-03 10:00:00", user=3, session="s3", price="50.00"),
    line("2019-10-03 10:25:00", user=3, session="s3", price="50.00", brand="sony"),
    line("2019-10-03 10:26:00", user=3, session="s3", price="150.00"),
    line("2019-10-03 10:27:00", "teleport", user=3, session="s3"),
    line("2019-10-03 11:00:00", user=4, session="s4", price="-1"),
]
DEFINED = project_variables()
GAP = f"session_gap_minutes: {DEFINED['session_gap_minutes'] - 10}"
# Every run judges all tables before its first model, so one model shows that it goes on.
NEXT = ("run", "--select", "source_files")
# Tables that keep rows, of which each kind of fault has one: a refresh of all takes thrice as long.
FEW = ("--select", "+sessions")
PRICE_AND_DATE = "highest_price: 100, earliest_event_date: '2019-10-02'"
TYPES = f"event_types: [{', '.join(DEFINED['event_types'])}, teleport]"
WORDS = "null_words: [nan, apple]"
EVERY = f"{{{GAP}, {PRICE_AND_DATE}, {TYPES}, {WORDS}}}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A few tables built from one file, and a second file loaded since."""
    home = Home(tmp_path_factory.mktemp("built"))
    write(home.folder / "files" / "old.csv", OLD)
    home.load(home.folder / "files")
    home.dbt("run", *FEW)
    write(home.folder / "files" / "new.csv", NEW)
    home.load(home.folder / "files")
    return home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    with built.database_restored():
        yield built


def fresh(home: Home, folder: Path, variables: str) -> Home:
    """Build the same bronze from nothing, with other definitions."""
    copy = Home(folder / "fresh")
    copy.folder.mkdir()
    with duckdb.connect(str(copy.database)) as connection:
        connection.execute(f"attach '{home.database}' as built (read_only)")
        connection.execute("create schema bronze_layer")
        for table in ("events_raw", "loaded_files"):
            connection.execute(
                f"create table bronze_layer.{table} as from built.bronze_layer.{table}"
            )
    copy.dbt("run", "--vars", variables)
    return copy


def test_changed_definitions_stop_the_build(built: Home) -> None:
    before = built.database.read_bytes()
    output = built.dbt("build", "--vars", EVERY, expect=2).stdout
    for text in (
        f"session_gap_minutes: {DEFINED['session_gap_minutes']} before, ",
        f"highest_price: {DEFINED['highest_price']} before, 100 now",
        f"earliest_event_date: {DEFINED['earliest_event_date']} before, 2019-10-02",
        "teleport] now",
        "event_normalization changed",
        "make run FULL=1",
        "Nothing was changed",
    ):
        assert text in output
    assert "START sql" not in output
    assert built.database.read_bytes() == before


def test_a_full_refresh_applies_changed_definitions(tmp_path: Path) -> None:
    # Of all tables, as one that kept an old row would differ from those of the new definitions.
    home = Home(tmp_path / "home")
    for lines in (OLD, NEW):
        write(home.folder / "files" / f"{len(lines)}.csv", lines)
        home.load(home.folder / "files")
        if lines is OLD:
            recorded_runs().builds.build(home)
    home.dbt("run", "--full-refresh", "--vars", EVERY)
    # Each changed definition applies to both files: 3 prices above 100 or below 0, an early day;
    # 25 minutes end a session, the word is no brand any more, and the type is one.
    assert home.query(
        "select rejection_reason, count(*), count(distinct _source_file)"
        " from silver_layer.events_quarantined group by 1 order by 1"
    ) == [("invalid_event_time", 1, 1), ("invalid_price", 4, 2)]
    assert home.query(
        "select user_id, count(*) from silver_layer.sessions group by 1 order by 1"
    ) == [(1, 2), (3, 2)]
    assert home.query(
        "select event_type, brand, count(*), count(distinct _source_file)"
        " from silver_layer.events_cleaned group by 1, 2 order by 1, 2"
    ) == [("teleport", None, 2, 2), ("view", "sony", 2, 2), ("view", None, 2, 2)]
    assert differences(home, fresh(home, tmp_path, EVERY)) == {}
    home.dbt(*NEXT, "--vars", EVERY)


@pytest.mark.parametrize("name", ["blanks", "special_capitals", "special_small_letters"])
def test_a_changed_set_of_characters_stops_the_build(home: Home, name: str) -> None:
    # White space counts here, which a hash of SQL leaves out.
    changed = project_variables()[name].replace("\u2001", "").replace("\u0130", "").strip("\x69")
    output = home.dbt(
        *NEXT, "--vars", json.dumps({name: changed}, ensure_ascii=False), expect=2
    ).stdout
    assert "event_normalization changed (every table)" in output


def test_a_full_refresh_that_died_must_be_run_again(home: Home) -> None:
    home.dbt("run", "--full-refresh", *FEW)
    with duckdb.connect(str(home.database)) as connection:
        # What the on-run-end hook of that run wrote.
        connection.execute(
            "delete from silver_layer.model_definitions where recorded_at ="
            " (select max(recorded_at) from silver_layer.model_definitions)"
        )
    output = home.dbt("run", expect=2).stdout
    assert "a full refresh of it did not end (every table)" in output
    home.dbt("run", "--full-refresh", *FEW)
    home.dbt(*NEXT)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (
            "drop table silver_layer.model_definitions",
            ["built by a version of this project before"],
        ),
        ("alter table silver_layer.model_definitions drop column value", ["cannot be read"]),
        (
            "update silver_layer.model_definitions set value = '0.1.9'"
            " where definition = 'tables_of_version';"
            "delete from silver_layer.model_definitions where model = 'sessions'",
            ["tables_of_version: 0.1.9 before", "its definitions are not known (sessions)"],
        ),
    ],
    ids=["older version", "unreadable", "other tables and one table"],
)
def test_tables_of_unknown_definitions_stop_the_build(
    home: Home, fault: str, named: list[str]
) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(fault)
    output = home.dbt("build", expect=2).stdout
    for text in named:
        assert text in output
    home.dbt("run", "--full-refresh", *FEW)
    home.dbt(*NEXT)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--full-refresh", "--select", "events_cleaned"), "select events_cleaned+"),
        (("--full-refresh", "--select", "events_replaced"), "select events_replaced+"),
        (("--select", "events_cleaned"), "select +events_cleaned"),
        (("--select", "events_quarantined"), "select +events_quarantined"),
    ],
    ids=["events rebuilt", "their images rebuilt", "events updated", "rejected rows updated"],
)
def test_a_table_is_not_built_without_what_it_must_agree_with(
    home: Home, arguments: tuple[str, ...], named: str
) -> None:
    output = home.dbt("run", *arguments, expect=2).stdout
    assert named in output


def test_a_table_that_was_lost_is_not_built_below_others(home: Home) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute("drop table silver_layer.events_cleaned")
    output = home.dbt("run", *FEW, expect=2).stdout
    # Only a full refresh can bring the others along, whatever is selected.
    assert "events_cleaned is missing, and would be built without it (" in output
    assert "select events_cleaned+" not in output


def test_a_table_that_comes_back_after_a_full_refresh_stops_the_build(home: Home) -> None:
    # As after work on a branch that lacks its model.
    away = "alter table silver_layer.user_activity rename to away"
    back = "alter table silver_layer.away rename to user_activity"
    for change, options in ((away, ("--full-refresh", "--exclude", "user_activity+")), (back, ())):
        with duckdb.connect(str(home.database)) as connection:
            connection.execute(change)
        output = home.dbt("run", *FEW, *options, expect=0 if options else 2).stdout
    assert "was rebuilt without it (user_activity)" in output


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("session_gap_minutes: soon", "session_gap_minutes must be a whole number from 1 to 99999"),
        ("session_gap_minutes: 0", "session_gap_minutes must be a whole number from 1 to 99999"),
        ("session_gap_minutes: true", "session_gap_minutes must be a whole number from 1 to 99999"),
        ("segment_vip_min_orders: 0", "segment_vip_min_orders must be a whole number above 0"),
        # What is compiled of it leaves the range of dates or integers, in the middle of a build.
        ("history_days: 100000", "history_days must be a whole number from 1 to 99999"),
        ("highest_price: '100'", "highest_price must be a number above 0"),
        ("earliest_event_date: 2019", "earliest_event_date must be a date"),
        ("earliest_event_date: null", "earliest_event_date must be a date"),
        ("pareto_a_share: 80", "pareto_a_share must be a share from 0 to 1"),
        ("rfm_recency_days: [7, 14]", "rfm_recency_days must be a list of four numbers"),
        ("event_types: view", "event_types must be a list of distinct lower-case names"),
        (
            "event_types: [view, cart, purchase]",
            "event_types must be a list of distinct lower-case names, all four",
        ),
        ("user_segments: [prospect, big]", "user_segments names big"),
        ("rfm_segments: [champion]", "rfm_segments must name needs_attention"),
        ("shop_time_zone: Europe/Berln", "shop_time_zone must be a time zone of the tz database"),
        ("policies: true", "policies must be table, attribute or none"),
        ("null_words: [NaN]", "null_words must be a list of lower-case words without quotes"),
        ("null_words: ['it''s']", "null_words must be a list of lower-case words"),
        ("null_words: [' nan']", "null_words must be a list of lower-case words"),
        ("null_words: nan", "null_words must be a list of lower-case words"),
        ('blanks: "\'"', "blanks must be a text without quotes or backslashes"),
        ("file_max_rejected_share: 10", "file_max_rejected_share must be a share from 0 to 1"),
        ("gate_max_quarantined_share: 2", "gate_max_quarantined_share must be a share from 0"),
        ("gate_max_quarantined_share: {local: 1}", "gate_max_quarantined_share must be a share"),
        ("gate_max_quarantined_share: {default: x}", "gate_max_quarantined_share must be a share"),
    ],
)
def test_a_variable_of_the_wrong_type_is_named(
    tmp_path: Path, variables: str, message: str
) -> None:
    assert f"var {message}" in parsed_with(tmp_path, variables, expect=2)


def parsed_with(folder: Path, variables: str, expect: int) -> str:
    """Return what dbt prints while it parses the project with variables of the command line."""
    # Macros and vars refuse them, whatever the models are: none are parsed here.
    project = folder / "project"
    project.mkdir()
    for name in ("dbt_project.yml", "macros"):
        (project / name).symlink_to(CHECKOUT / name)
    command = ["parse", "--profiles-dir", str(CHECKOUT), "--vars", variables]
    return run_dbt(folder, command, expect, WITHOUT_ARTIFACTS, project).stdout


def test_counts_may_be_those_of_a_large_shop(tmp_path: Path) -> None:
    parsed_with(tmp_path, "incomplete_day_pause_min_events: 5000000", expect=0)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("gap_minutes: 20", "no var is called gap_minutes: correct the name"),
        ("types: {}", "no var is called types"),
        ("churn_after_days: 1", "var churn_after_days must be rising after churn_medium_risk"),
        ("pareto_a_share: 0.99", "var pareto_b_share must be rising after pareto_a_share"),
        ("rfm_recency_days: [1, 4, 3, 5]", "var rfm_recency_days must be rising; it is"),
        ("rfm_frequency_orders: [2, 3, 4, 5]", "var rfm_frequency_orders must be falling; it is"),
    ],
)
def test_a_variable_of_the_command_line_is_refused_as_one_of_the_project_file(
    tmp_path: Path, variables: str, message: str
) -> None:
    assert message in parsed_with(tmp_path, variables, expect=2)


def test_a_wrong_variable_stops_dbt_while_it_parses(built: Home) -> None:
    # Configurations read this var, so that the server of the runs cannot parse for this one.
    result = built.dbt("build", "--vars", "event_types: view", expect=2)
    assert 'it is "view": correct it in dbt_project.yml' in result.stdout
    assert "START" not in result.stdout


def test_a_changed_model_is_named(home: Home) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(
            "update silver_layer.model_definitions set value = md5('another text')"
            " where model = 'sessions' and definition = 'sql'"
        )
    output = home.dbt("build", expect=2).stdout
    assert "- sql changed (sessions)" in output
