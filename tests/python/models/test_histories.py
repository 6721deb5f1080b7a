"""The tables do not depend on how events arrive: in which files, batches and builds.

Histories run alone or several in one database, where nearly all time of a build goes into planning
its statements. Every run compares incremental models and their ancestors, one in four all others as
well: every build makes those from these, so they differ only if they see how their rows came about.

`pytest tests/python/models/test_histories.py --histories 5000` tries more histories, different ones
each time.
"""

from __future__ import annotations

import logging
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import chain, cycle, islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import duckdb
import pytest

from ingestion.bronze import EVENTS, LEDGER
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from ingestion.file_load import Status
from ingestion.local_loader import load
from support.dbt_replay import parsed, replay
from support.platform_runs import FACTS, Home, differences, tables
from support.recorded_builds import Builds, Recorded, recorded_runs

pytestmark = pytest.mark.slow

HISTORIES_IN_THE_SUITE: Final = 200
# Each part ends within the timeout of a test, on a busy machine too.
PARTS: Final = 4
# The numbers of histories in one database. Some are alone: only they have builds of nothing new, or
# of nothing but refused lines.
TOGETHER: Final = (1, 1, 8)
ALL_MODELS_EVERY: Final = 4

# Pauses of exactly the session gap and one second more, around midnight, and of weeks.
TIMES: Final = (
    "2019-10-01 10:00:00",
    "2019-10-01 10:00:01",
    "2019-10-01 10:30:00",
    "2019-10-01 10:30:01",
    "2019-10-01 11:00:01",
    "2019-10-01 23:45:00",
    "2019-10-02 00:10:00",
    "2019-10-02 00:40:01",
    "2019-10-03 10:00:00",
    "2019-10-16 12:00:00",
    "2019-11-20 10:00:00",
)
# Histories in one database have days of their own: a change of one must not rebuild another's day.
DAYS_OF_A_HISTORY: Final = 56
SPELLINGS: Final = (
    *("plain", "plain", "upper case", "blanks", "words for nothing"),
    "another price of the same cents",
)
# One value replaced in an otherwise valid event, or the whole line.
FAULTS: Final = (
    {"event_time": "yesterday"},
    {"event_time": "1970-01-01 00:00:00 UTC"},
    {"event_type": "wish"},
    {"product_id": "0"},
    {"category_id": ""},
    {"user_id": ""},
    {"user_session": " "},
    {"user_session": "NULL"},
    {"product_id": "2.05E+18"},
    {"price": "-1"},
    {"price": "free"},
    {"price": "nan"},
    {"line": "half a line"},
    {"line": '"open quote'},
)


class Event(NamedTuple):
    """An event by its meaning; files spell it in several ways."""

    time: str
    event_type: str
    product: int
    category: tuple[str, str]
    brand: str
    price: str
    user: int
    session: str


# What builds must rewrite in some of the histories, as queries that find what they replaced.
REWRITES: Final = {
    "a session of several categories": (
        "select session_id from silver_layer.events_replaced"
        " group by session_id"
        " having count(distinct split_part(coalesce(category_code, ''), '.', 1)) > 1"
    ),
    "a session with an order": (
        "select session_id from silver_layer.events_replaced where event_type = 'purchase'"
        " group by session_id having count(*) > 1"
    ),
    "sessions joined or parted": (
        "select replaced.session_id from silver_layer.events_replaced as replaced"
        " inner join silver_layer.events_cleaned as events"
        " using (event_time, event_type, product_id, price, user_id, user_session)"
        " where replaced.session_id <> events.session_id"
    ),
}


class After(StrEnum):
    """What happens after a file has landed."""

    NOTHING = "the next file lands"
    LOAD = "load"
    BUILD = "load and build"
    BROKEN_BUILD = "load and a build that dies half way"


@dataclass(frozen=True)
class Landing:
    """A file's lines (none for no file), what follows, and the commits of a build that dies."""

    lines: tuple[str, ...]
    after: After
    commits: int


def an_event(drawn: random.Random, place: int) -> Event:
    # Most events share a tracker session and an hour, so that sessions of several events grow.
    time = datetime.fromisoformat(drawn.choice(drawn.choice([TIMES[:4], TIMES])))
    return Event(
        time=str(time + timedelta(place * DAYS_OF_A_HISTORY)),
        event_type=drawn.choice(["view", "cart", "remove_from_cart", "purchase"]),
        product=10 * place + drawn.choice([1, 2]),
        category=drawn.choice([("20", "electronics.smartphone"), ("20", ""), ("21", "apparel")]),
        brand=drawn.choice(["apple", "", "sony"]),
        price=drawn.choice(["100.00", "0.00", "7.77"]),
        user=10 * place + drawn.choice([1, 1, 1, 2, 3]),
        session=drawn.choice(["s1", "s1", "s2"]) + "x" * place,
    )


def spelled(event: Event, spelling: str) -> dict[str, str]:
    fields = {
        "event_time": f"{event.time} UTC",
        "event_type": event.event_type,
        "product_id": str(event.product),
        "category_id": event.category[0],
        "category_code": event.category[1],
        "brand": event.brand,
        "price": event.price,
        "user_id": str(event.user),
        "user_session": event.session,
    }
    texts = ("event_type", "category_code", "brand")
    if spelling == "upper case":
        return fields | {name: fields[name].upper() for name in texts}
    if spelling == "blanks":
        return fields | {name: f" {fields[name]} " for name in (*texts, "user_session")}
    if spelling == "words for nothing":
        return fields | {name: fields[name] or "NaN" for name in ("category_code", "brand")}
    if spelling == "another price of the same cents":
        return fields | {"price": event.price + "1"}
    return fields


def line(event: Event, spelling: str, fault: Mapping[str, str]) -> str:
    return fault.get("line") or ",".join({**spelled(event, spelling), **fault}.values())


def a_landing(drawn: random.Random, events: Sequence[Event]) -> Landing:
    # One file in five does not come; the loader refuses a file of bad lines.
    lines = [line(drawn.choice(events), "plain", {})] if drawn.random() < 0.8 else []
    if lines:
        for _ in range(drawn.randint(0, 5)):
            # One line in five is bad.
            fault = drawn.choice(FAULTS) if drawn.random() < 0.2 else {}
            lines.append(line(drawn.choice(events), drawn.choice(SPELLINGS), fault))
    after = drawn.choice([After.NOTHING, After.LOAD, After.BUILD, After.BUILD, After.BROKEN_BUILD])
    return Landing(tuple(lines), after, commits=drawn.randint(1, 15))


def a_history(drawn: random.Random, place: int) -> list[Landing]:
    """Draw a history with days, users, products and sessions of its place in a database."""
    # Few events, each on many lines: duplicates within and across files.
    events = [an_event(drawn, place) for _ in range(drawn.randint(1, 12))]
    history = [a_landing(drawn, events) for _ in range(drawn.randint(1, 4))]
    return history if any(landing.lines for landing in history) else a_history(drawn, place)


@dataclass(frozen=True)
class Round:
    """The files of each load since the last build, and the commits after which the next dies."""

    loads: Sequence[Sequence[Sequence[str]]]
    dies_after: int | None


def rounds(history: Sequence[Landing]) -> Iterator[Round]:
    """Yield what the history does for each of its builds, of which it begins no empty one."""
    loads: list[list[Sequence[str]]] = [[]]
    is_empty = True
    for landing in history:
        if landing.lines:
            loads[-1].append(landing.lines)
            is_empty = False
        if is_empty or landing.after is After.NOTHING:
            continue
        if landing.after is After.LOAD:
            loads.append([])
            continue
        yield Round(loads, landing.commits if landing.after is After.BROKEN_BUILD else None)
        loads = [[]]
    yield Round(loads, None)


class Shop:
    """A database that the real loader loads and replays of dbt build.

    It stays open in this process, which saves half of the time: the loader's connection shares it.
    """

    def __init__(self, folder: Path, builds: Builds, database: Path | None = None) -> None:
        self.home = Home(folder)
        self.landing = folder / "landing"
        self.landing.mkdir(parents=True)
        self.builds = builds
        if database:
            shutil.copy(database, self.home.database)
        self.connection = duckdb.connect(str(self.home.database))
        self.connection.execute("set threads = 1")
        # The files of most shops are deleted.
        self.connection.execute("pragma disable_checkpoint_on_shutdown")

    def __enter__(self) -> Shop:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def land(self, name: str, lines: Sequence[str]) -> None:
        text = "\n".join([",".join(PUBLISHED_COLUMN_NAMES), *lines, ""])
        (self.landing / name).write_text(text, encoding="utf-8")

    def load(self) -> None:
        report = load(self.landing, self.home.database)
        assert report.count(Status.LOADED, Status.ALREADY_LOADED) == len(report.files)

    def build(self, models: Sequence[str] | None = None, dies_after: int | None = None) -> None:
        builds = self.builds
        replay(self.connection, builds.first, builds.update, models, dies_after, few_rows=True)

    def refresh(self, models: Sequence[str] | None = None) -> None:
        replay(self.connection, self.builds.first, self.builds.refresh, models, few_rows=True)

    def load_at_once(self) -> None:
        """Load every landed file into an empty bronze."""
        for table in (EVENTS, LEDGER):
            self.connection.execute(f"drop table {table}")
        self.load()

    def rows(self) -> dict[str, Counter[str]]:
        """Return the rows of every silver and gold table, without the build that wrote them."""
        names = tables(self.connection)
        return {name: self._rows(f"select {FACTS} from {name}") for name in names}

    def rewrites(self) -> Iterator[str]:
        """Yield which of the rewrites the builds did."""
        for rewrite, replaced in REWRITES.items():
            if self.connection.execute(replaced).fetchall():
                yield rewrite

    def bronze(self) -> Counter[str]:
        """Return bronze rows, with the position of each file in load order in place of its time."""
        return self._rows(
            "select * replace (parse_filename(_source_file) as _source_file,"
            " dense_rank() over (order by _ingested_at) as _ingested_at)"
            " from bronze_layer.events_raw",
        )

    def _rows(self, query: str) -> Counter[str]:
        # As text, because NaN is not equal to itself.
        return Counter(map(repr, self.connection.execute(parsed(query)).fetchall()))


def live(shop: Shop, histories: Sequence[Sequence[Landing]], models: Sequence[str] | None) -> None:
    """Land files, load and build as in the histories, and end with a load and a build of models.

    Each history keeps its order of files, loads and builds; a build dies as in the longest one.
    """
    longest, *others = sorted(map(list, map(rounds, histories)), key=len, reverse=True)
    files = 0
    for number, own in enumerate(zip_longest(longest, *others)):
        for load_ in zip_longest(*(round_.loads for round_ in own if round_), fillvalue=()):
            for lines in zip_longest(*load_, fillvalue=()):
                shop.land(f"{files:02}.csv", list(chain.from_iterable(lines)))
                files += 1
            shop.load()
        # Tables that every build rebuilds do not affect the next one: only the last builds them.
        is_last = number == len(longest) - 1
        shop.build(models if is_last else shop.builds.update.lasting, longest[number].dies_after)


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return recorded_runs()


def test_an_update_executes_the_same_statements_for_any_data(recorded: Recorded) -> None:
    assert recorded.idle_update.shape() == recorded.builds.update.shape()


def test_a_replay_does_what_dbt_does(recorded: Recorded, tmp_path: Path) -> None:
    with Shop(tmp_path, recorded.builds, recorded.loaded) as shop:
        shop.build()
        shop.connection.execute(f"attach '{recorded.updated.database}' as built (read_only)")
        shop.connection.execute(
            "insert into bronze_layer.events_raw from built.bronze_layer.events_raw"
            " where _ingested_at > (select max(_ingested_at) from bronze_layer.events_raw)"
        )
        shop.build()
        shop.build()
        shop.connection.execute("checkpoint")
    assert differences(shop.home, recorded.updated) == {}
    with Shop(tmp_path / "refreshed", recorded.builds, shop.home.database) as shop:
        shop.refresh()
    assert differences(shop.home, recorded.refreshed) == {}


@dataclass(frozen=True)
class Outcome:
    """The rows that differ, by table, and the rewrites that the builds did."""

    differences: Mapping[str, Mapping[str, Sequence[str]]]
    rewrites: frozenset[str]


def outcome(
    histories: Sequence[Sequence[Landing]],
    builds: Builds,
    parent: Path,
    models: Sequence[str] | None,
) -> Outcome:
    """Compare the models, by default all, after the histories and after one full refresh."""
    with TemporaryDirectory(dir=parent) as folder, Shop(Path(folder), builds) as shop:
        live(shop, histories, models)
        found, bronze, rewrites = shop.rows(), shop.bronze(), frozenset(shop.rewrites())
        shop.refresh(models)
        differences = differing(found, shop.rows())
        # Both sides could lose the same row.
        accounted = ("silver_layer.events_cleaned", "silver_layer.events_quarantined")
        assert sum(found[name].total() for name in accounted) == bronze.total(), histories
        # By design the first loaded copy of an event is kept, so files are named in landing order:
        # one load of all files takes them in the same order. Only load times differ, and the tables
        # have them. So the full refresh above reads the bronze of the batches, and this shows that
        # it equals the bronze of one load except for these times.
        shop.load_at_once()
        differences |= differing({"bronze": bronze}, {"bronze": shop.bronze()})
    return Outcome(differences, rewrites)


@pytest.mark.parametrize("part", range(PARTS))
def test_histories(
    recorded: Recorded, request: pytest.FixtureRequest, tmp_path: Path, part: int
) -> None:
    wanted = request.config.getoption("--histories")
    rewrites = set[str]()
    logging.disable(logging.WARNING)
    try:
        # The suite tries the same histories each time; a longer run tries new ones.
        seeds = [
            f"{part}.{number}" if wanted is None else str(random.getrandbits(64))
            for number in range((wanted or HISTORIES_IN_THE_SUITE) // PARTS)
        ]
        for number, together in enumerate(groups(seeds)):
            histories: Sequence[list[Landing]] = [
                a_history(random.Random(seed), place) for place, seed in enumerate(together)
            ]
            models = None if number % ALL_MODELS_EVERY == 0 else recorded.builds.update.lasting
            judged = partial(outcome, builds=recorded.builds, parent=tmp_path, models=models)
            found = judged(histories)
            if found.differences:
                histories, found = smallest(histories, found, judged)
            assert not found.differences, (together, histories)
            rewrites.update(found.rewrites)
    finally:
        logging.disable(logging.NOTSET)
    # A fault in a rewrite that no history gets to would go unseen.
    assert set(rewrites) == set(REWRITES)


def groups(seeds: Sequence[str]) -> Iterator[list[str]]:
    """Yield the seeds of the histories that run in one database."""
    left = iter(seeds)
    for size in cycle(TOGETHER):
        if not (group := list(islice(left, size))):
            return
        yield group


def smallest(
    histories: Sequence[list[Landing]],
    found: Outcome,
    judged: Callable[[Sequence[list[Landing]]], Outcome],
) -> tuple[Sequence[list[Landing]], Outcome]:
    """Leave out histories, landings and lines for as long as rows differ."""
    for number, history in enumerate(histories):
        before, after = histories[:number], histories[number + 1 :]
        without = [[*before, *after]] if before or after else []
        for fewer in chain(without, ([*before, less, *after] for less in _smaller(history))):
            less_found = judged(fewer)
            if less_found.differences:
                return smallest(fewer, less_found, judged)
    return histories, found


def _smaller(history: list[Landing]) -> Iterator[list[Landing]]:
    for number, landing in enumerate(history):
        before, after = history[:number], history[number + 1 :]
        if any(other.lines for other in (*before, *after)):
            yield [*before, *after]
        # The first line is a good one, without which the loader refuses the file.
        for place in range(1, len(landing.lines)):
            lines = (*landing.lines[:place], *landing.lines[place + 1 :])
            yield [*before, replace(landing, lines=lines), *after]


def differing(
    found: Mapping[str, Counter[str]], expected: Mapping[str, Counter[str]]
) -> dict[str, dict[str, list[str]]]:
    """Return the rows that only one side has, by table."""
    assert found.keys() == expected.keys()
    return {
        table: {
            "only in batches": list((found[table] - expected[table]).elements()),
            "only in the full refresh": list((expected[table] - found[table]).elements()),
        }
        for table in found
        if found[table] != expected[table]
    }
