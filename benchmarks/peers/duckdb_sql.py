"""DuckDB by hand: the core steps of `plain_duckdb.sql` alone."""

from __future__ import annotations

from pathlib import Path

import duckdb

from benchmarks.peers.core import DAY_COLUMNS, GAP_SECONDS, Days, Steps, answer

_RAW = """
create table raw as
select * replace (cast(round(price * 100) as bigint) as price)
from read_csv(
    $files, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"',
    timestampformat = '%Y-%m-%d %H:%M:%S UTC',
    columns = {
        'event_time': 'timestamp', 'event_type': 'varchar', 'product_id': 'bigint',
        'category_id': 'bigint', 'category_code': 'varchar', 'brand': 'varchar', 'price': 'double',
        'user_id': 'bigint', 'user_session': 'varchar'
    }
)
where user_session is not null
"""
# Copies share time, user and product, as one row in a thousand does; most rows are not compared.
_EVENTS = f"""
create table repeated as
select event_time, user_id, product_id from raw group by all having count(*) > 1;
create view deduplicated as
from raw anti join repeated using (event_time, user_id, product_id)
union all
(select distinct * from raw semi join repeated using (event_time, user_id, product_id));
create table starts as
with spans as (
    select
        user_id, user_session, min(event_time) as first_time,
        max(epoch(event_time)) - min(epoch(event_time)) > {GAP_SECONDS} as may_pause
    from raw
    group by all
),
paused as (
    select
        user_id, user_session, event_time, lag(event_time) over same_session as previous_time
    from raw semi join (from spans where may_pause) using (user_id, user_session)
    window same_session as (partition by user_id, user_session order by event_time)
),
starts as (
    select user_id, user_session, first_time as started_at from spans where not may_pause
    union all
    select user_id, user_session, event_time
    from paused
    where previous_time is null or epoch(event_time) - epoch(previous_time) > {GAP_SECONDS}
)
select
    *, row_number() over () as session_id,
    lead(started_at, 1, '9999-12-31') over (
        partition by user_id, user_session order by started_at
    ) as next_started_at
from starts;
create table events as
select deduplicated.*, session_id
from deduplicated inner join starts
    on deduplicated.user_id = starts.user_id
    and deduplicated.user_session = starts.user_session
    and event_time >= started_at and event_time < next_started_at
"""
_SESSIONS = """
create table sessions as
select
    session_id, any_value(user_id) as user_id, any_value(user_session) as user_session,
    min(event_time) as started_at, max(event_time) as ended_at, count(*) as events,
    count_if(event_type = 'purchase') as purchases
from events
group by session_id
"""
_DAYS = """
create table days as
select * from (
    select
        event_time::date as event_date, count(*) as events,
        count_if(event_type = 'view') as views, count_if(event_type = 'cart') as carts,
        count_if(event_type = 'purchase') as purchases,
        coalesce(sum(price) filter (event_type = 'purchase'), 0) as revenue_cents
    from events
    group by all
)
left join (
    select
        started_at::date as event_date, count(*) as sessions,
        sum(date_diff('second', started_at, ended_at)) as session_seconds,
        count_if(purchases > 0) as orders
    from sessions
    group by all
) using (event_date)
"""


def run(folder: Path, work: Path, steps: Steps) -> Days:
    """Build the tables in a database below `work`; return the days."""
    with duckdb.connect(str(work / "core.duckdb")) as connection:
        connection.execute("set memory_limit = '8GB'; set preserve_insertion_order = false")
        with steps.step("load"):
            connection.execute(_RAW, {"files": str(folder / "*.csv")})
        for name, statements in (("events", _EVENTS), ("sessions", _SESSIONS), ("days", _DAYS)):
            with steps.step(name):
                connection.execute(statements)
        return connection.execute(f"select {', '.join(DAY_COLUMNS)} from days").fetchall()


if __name__ == "__main__":
    answer(run)
