"""Records what dbt executes in a real build, and replays it on many small databases.

Starting dbt takes seconds, its statements a tenth of one. The statements do not depend on the data,
which a test can assert with `Recording.shape`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb

from support.platform_runs import DEFINITIONS, HISTORY, Home

# With these statements dbt inspects the database; a replay need not.
_READS: Final = frozenset({"select", "with", "describe"})
# Comments change no rows, and would take a third of a replay's time.
_COMMENTS: Final = "comment"
# A replay has the definitions of its recording, and is no run: it need not write them down.
_RECORDS: Final = re.compile(f"{DEFINITIONS}|{'|'.join(HISTORY)}")
_TEMPORARY: Final = re.compile(r"(__dbt_tmp)\d+")


@dataclass(frozen=True)
class Statement:
    """One SQL statement, or the source of a Python model as dbt compiled it."""

    text: str
    is_python: bool = False


@dataclass(frozen=True)
class Recording:
    """One `dbt run`: statements by dbt's connection, whose name is a model's id.

    `lasting` are the incremental models and their ancestors, in build order; all other models are
    rebuilt by every build.
    """

    statements: Mapping[str, Sequence[Statement]]
    lasting: Sequence[str]

    def shape(self) -> dict[str, list[str]]:
        """Return the statements without the parts that differ between any two runs."""
        return {
            connection: [_TEMPORARY.sub(r"\1", statement.text) for statement in statements]
            for connection, statements in self.statements.items()
        }


def record(home: Home, *arguments: str) -> Recording:
    """Run dbt on the home's database, one node at a time, and record what it executes."""
    target, log = home.folder / "target", home.folder / "statements.json"
    log.unlink(missing_ok=True)
    # Its manifest says the same of every run.
    written = () if (target / "manifest.json").exists() else ("--write-json",)
    home.dbt(*written, "run", "--threads", "1", *arguments, RECORDED_STATEMENTS=str(log))
    statements: dict[str, list[Statement]] = {}
    with log.open(encoding="utf-8") as lines:
        for connection, statement in _executed(map(json.loads, lines), target):
            statements.setdefault(connection, []).append(statement)
    lasting = set(_lasting(home.artifact("manifest")))
    return Recording(statements, [name for name in statements if name in lasting])


def _executed(events: Iterator[Any], target: Path) -> Iterator[tuple[str, Statement]]:
    for event in events:
        if "sql" in event:
            text = re.sub(r"^/\*.*?\*/", "", event["sql"], flags=re.DOTALL).strip()
            is_read = text.split(maxsplit=1)[0].lower() in {*_READS, _COMMENTS}
            if not is_read and not _RECORDS.search(text):
                # dbt sends some statements together; a process can die between them.
                for part in duckdb.extract_statements(text):
                    yield event["conn_name"], Statement(part.query)
        elif event["msg"].startswith("Writing runtime python"):
            node = event["node_info"]
            [path] = (target / "run").glob(f"*/models/{node['node_path']}")
            yield node["unique_id"], Statement(path.read_text(encoding="utf-8"), is_python=True)


def _lasting(manifest: Mapping[str, Any]) -> Iterator[str]:
    nodes = manifest["nodes"]
    found = [
        name for name, node in nodes.items() if node["config"]["materialized"] == "incremental"
    ]
    seen = set(found)
    while found:
        yield (name := found.pop())
        parents = {parent for parent in nodes[name]["depends_on"]["nodes"] if parent in nodes}
        found.extend(parents - seen)
        seen |= parents


def replay(
    connection: duckdb.DuckDBPyConnection,
    first: Recording,
    update: Recording,
    models: Collection[str] | None = None,
    dies_after: int | None = None,
    *,
    few_rows: bool = False,
) -> None:
    """Replay a build: the update of a model that exists, the first build of any other.

    `models` limits the build. After `dies_after` commits nothing more is executed: a death at any
    other time leaves the same state, except for what dbt drops first. The connection's database
    must have the name of the recorded one.
    """
    present = _without_leftovers(connection)
    commits = 0
    for name in update.statements:
        is_model = name.startswith("model.")
        if is_model and models is not None and name not in models:
            continue
        is_new = is_model and name.rpartition(".")[2] not in present
        table = name.rpartition(".")[2]
        if table in _LAST_BUILD and not is_new and _LAST_BUILD[table] not in present:
            # As dbt renders it then: there is no event to replace, and every file is new.
            if table == "events_replaced":
                continue
            connection.execute(f"drop {present[table]} silver_layer.{table}")
            is_new = True
        statements = (first if is_new else update).statements[name]
        if table == "events_replaced" and "sessions" not in present:
            # As dbt renders it then: no session is known.
            statements = [
                Statement(_SESSIONS.sub(_NO_SESSIONS, statement.text)) for statement in statements
            ]
        # A cursor for each node, as in dbt-duckdb: temporary tables end with it.
        with connection.cursor() as cursor:
            cursor.execute(parsed("set TimeZone = 'UTC'"))
            if few_rows:
                cursor.execute(parsed(_few_optimizers()))
            for statement in statements:
                if commits == dies_after:
                    return
                _execute(cursor, statement)
                commits += statement.text.lower() == "commit"


# What macro last_build gives to the models that call it.
_LAST_BUILD: Final = {
    "batch_totals": "released_files",
    "event_copies": "events_quarantined",
    "events_replaced": "events_cleaned",
    "session_starts": "events_cleaned",
}


# The table of the last build, and what macro last_build gives in its place before there is one.
_SESSIONS: Final = re.compile(r'("\w+"\.)?"silver_layer"\."sessions"')
_NO_SESSIONS: Final = (
    "(select null as session_id, null as user_id, null as tracker_part, 0 as _batch_id limit 0)"
)


def _without_leftovers(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the kinds of relations by name, and drop leftovers of a build that died, as dbt does.

    That dbt does, test_crashes.py shows.
    """
    present = {}
    for schema, name, kind in connection.execute(parsed(_RELATIONS)).fetchall():
        if "__dbt_" in name:
            connection.execute(f"drop {kind} {schema}.{name}")
        else:
            present[name] = kind
    return present


# The views of information_schema would take ten times as long.
_RELATIONS: Final = (
    "select schema_name, table_name, 'table' from duckdb_tables() where not temporary"
    " union all select schema_name, view_name, 'view' from duckdb_views() where not internal"
)


def _execute(cursor: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    if statement.is_python:
        names = _executed_module(statement.text)
        model = names["dbtObj"](lambda table: cursor.query(f"select * from {table}"))
        names["materialize"](names["model"](model, cursor), cursor)
    else:
        cursor.execute(parsed(statement.text))


@cache
def _executed_module(source: str) -> Mapping[str, Any]:
    """Return the names that a model's source defines; dbt-duckdb defines them for each run."""
    names: dict[str, Any] = {}
    exec(compile(source, "model.py", "exec"), names)
    return names


@cache
def _few_optimizers() -> str:
    """Return a setting that saves a sixth of the time, for plans that few rows do not need.

    The two that stay save more time than they take.
    """
    names = duckdb.execute(
        "select name from duckdb_optimizers() where name not in ('unused_columns', 'cte_inlining')"
    )
    return f"set disabled_optimizers = '{','.join(name for (name,) in names.fetchall())}'"


@cache
def parsed(text: str) -> duckdb.Statement:
    """Return a statement that DuckDB need not parse again, which takes a sixth of a replay."""
    [statement] = duckdb.extract_statements(text)
    return statement
