"""chDB, ClickHouse in process: tables of its own engine, in the order that they are read in."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers.core import DAY_COLUMNS, GAP_SECONDS, Days, Steps, answer

# The package is not typed.
_chdb: Any = import_module("chdb.session")
# Tracker sessions are UUIDs, so that 16 bytes are enough; few different texts are coded.
_RAW = """
create table raw engine MergeTree order by (user_id, user_session, event_time) as
select
    parseDateTime(substring(event_time, 1, 19), '%Y-%m-%d %H:%i:%s', 'UTC') as event_time,
    event_type, product_id, category_id, category_code, brand,
    toInt64(price * 100 + 0.5) as price, user_id, assumeNotNull(user_session) as user_session
from file(
    '{files}', CSVWithNames,
    'event_time String, event_type LowCardinality(String), product_id Int64, category_id Int64,
    category_code LowCardinality(Nullable(String)), brand LowCardinality(Nullable(String)),
    price Float64, user_id Int64, user_session Nullable(UUID)'
)
where user_session is not null
settings prefer_column_name_to_alias = 1
"""
_EVENTS = f"""
create table events engine MergeTree order by (user_id, user_session, event_time) as
select
    * except (previous_time),
    max(if(event_time - previous_time > {GAP_SECONDS}, event_time, null)) over (
        partition by user_id, user_session order by event_time
    ) as restarted_at
from (
    select *, lagInFrame(event_time, 1, event_time) over (
        partition by user_id, user_session order by event_time
        rows between unbounded preceding and unbounded following
    ) as previous_time
    from (select distinct * from raw)
)
"""
_SESSIONS = """
create table sessions engine MergeTree order by (user_id, user_session, started_at) as
select
    user_id, user_session, min(event_time) as started_at, max(event_time) as ended_at,
    count() as events, countIf(event_type = 'purchase') as purchases
from events
group by user_id, user_session, restarted_at
"""
_DAYS = """
create table days engine MergeTree order by event_date as
select * from (
    select
        toDate(event_time) as event_date, count() as events,
        countIf(event_type = 'view') as views, countIf(event_type = 'cart') as carts,
        countIf(event_type = 'purchase') as purchases,
        sumIf(price, event_type = 'purchase') as revenue_cents
    from events
    group by event_date
) as by_event
left join (
    select
        toDate(started_at) as event_date, count() as sessions,
        sum(ended_at - started_at) as session_seconds, countIf(purchases > 0) as orders
    from sessions
    group by event_date
) as by_session using event_date
"""


def run(folder: Path, work: Path, steps: Steps) -> Days:
    """Build the tables below `work`; return the days."""
    session = _chdb.Session(str(work / "chdb"))
    session.query("create database core")
    session.query("use core")
    statements = {
        "load": _RAW.replace("{files}", str(folder / "*.csv")),
        "events": _EVENTS,
        "sessions": _SESSIONS,
        "days": _DAYS,
    }
    for name, statement in statements.items():
        with steps.step(name):
            session.query(statement)
    found = session.query("select * from days", "JSONCompact")
    rows = json.loads(str(found))["data"]
    assert len(rows[0]) == len(DAY_COLUMNS)
    return [tuple(row) for row in rows]


if __name__ == "__main__":
    answer(run)
