"""One client's session: recognizes a statement, runs it, adds it to the journal."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from . import attribute_ddl, ddl, dml, introspection
from .context import EMPTY, Context
from .engine import engine_error
from .errors import WarehouseError, not_found
from .ledger import Key, Relation
from .policies import require, sees
from .sql_text import Cursor, quote, without_comments

Handler = Callable[[Context, Cursor], pa.Table]


@dataclass
class Entry:
    """A line of the journal: one statement, or one REST request (kind `REST`).

    `kind` is the statement's leading words, `route` how it was handled: engine (as sent),
    rewritten, ledger, introspection or session; `ms` its duration; `error` the message or ''.
    """

    principal: str
    session: str
    text: str
    kind: str
    route: str = ""
    ms: float = 0.0
    error: str = ""
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Journal:
    """All requests of clients, in the order in which they ended."""

    entries: list[Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, entry: Entry) -> None:
        """Append one entry."""
        with self._lock:
            self.entries.append(entry)

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self.entries.clear()

    def select(self, kind: str = "", principal: str = "", matching: str = "") -> list[Entry]:
        """Return the entries of a kind, of a principal, whose text matches a pattern."""
        with self._lock:
            return [
                e
                for e in self.entries
                if (not kind or e.kind == kind)
                and (not principal or e.principal == principal)
                and (not matching or re.search(matching, e.text, re.IGNORECASE | re.DOTALL))
            ]


def _query(ctx: Context, cursor: Cursor) -> pa.Table:
    return ctx.query(cursor.rest())


def _use(ctx: Context, cursor: Cursor) -> pa.Table:
    cursor.expect("USE")
    ctx.route = "session"
    what = cursor.accept_any("CATALOG", "SCHEMA", "DATABASE")
    parts = cursor.name()
    cursor.end()
    if what == "CATALOG":
        if (parts[0],) not in ctx.ledger.catalogs:
            raise not_found("catalog", quote(parts))
        ctx.catalog, ctx.schema = parts[0], "default"
    else:
        key = ctx.schema_key(parts)
        ctx.ledger.require_schema(key)
        ctx.catalog, ctx.schema = key
    return EMPTY


def _set(ctx: Context, cursor: Cursor) -> pa.Table:
    cursor.expect("SET")
    ctx.route = "session"
    if cursor.accept("TIME", "ZONE"):
        if cursor.string().upper() not in ("UTC", "ETC/UTC"):
            raise cursor.fail("the double supports only UTC")
        cursor.end()
        return EMPTY
    if cursor.accept("QUERY_TAGS", "["):
        name = f"QUERY_TAGS[{cursor.string()}]"
        cursor.expect("]")
    else:
        name = ".".join(cursor.name())
    cursor.expect("=")
    ctx.settings[name] = cursor.rest()
    return introspection.table([(name, ctx.settings[name])], "key", "value")


def _optimize(ctx: Context, cursor: Cursor) -> pa.Table:
    words = cursor.accept_any("OPTIMIZE", "VACUUM", "ANALYZE", "REORG")
    if words in ("ANALYZE", "REORG"):
        cursor.expect("TABLE")
    key = ctx.key(cursor.name())
    require(ctx.ledger, ctx.principal, "MODIFY", "TABLE", key)
    relation = ctx.ledger.relation(key)
    if words == "OPTIMIZE":
        cursor.accept("FULL")
        if cursor.accept("ZORDER", "BY"):
            for name in cursor.identifiers():
                relation.column(name)
    elif words == "ANALYZE":
        cursor.expect("COMPUTE")
        cursor.accept("DELTA")
        cursor.expect("STATISTICS")
        cursor.accept("FOR", "ALL", "COLUMNS")
    elif words == "REORG":
        cursor.expect("APPLY", "(", "PURGE", ")")
    cursor.end()
    ctx.route = "ledger"
    return introspection.table([(str(relation.folder),)], "path") if words == "OPTIMIZE" else EMPTY


def _like(cursor: Cursor) -> re.Pattern[str]:
    cursor.accept("LIKE")
    text = cursor.string() if cursor.token is not None and cursor.token.kind == "string" else "*"
    cursor.end()
    choices = (re.escape(p).replace(r"\*", ".*") for p in text.lower().split("|"))
    return re.compile("|".join(f"(?:{c})" for c in choices))


def _visible(ctx: Context, cursor: Cursor) -> tuple[Key, list[Relation]]:
    """Read [IN schema] [LIKE pattern]; return the matching relations that the principal may see."""
    key: Key = ctx.namespace
    if cursor.accept_any("IN", "FROM"):
        key = ctx.schema_key(cursor.name())
    pattern = _like(cursor)
    ctx.ledger.require_schema(key)
    with ctx.ledger.lock:
        return key, [
            r
            for r in ctx.ledger.in_schema(key)
            if pattern.fullmatch(r.key[2]) and sees(ctx.ledger, ctx.principal, "TABLE", r.key)
        ]


def _show(ctx: Context, cursor: Cursor) -> pa.Table:
    cursor.expect("SHOW")
    ctx.route = "introspection"
    table = introspection.table
    if cursor.accept_any("SCHEMAS", "DATABASES"):
        catalog = cursor.identifier().lower() if cursor.accept_any("IN", "FROM") else ctx.catalog
        if (catalog,) not in ctx.ledger.catalogs:
            raise not_found("catalog", quote([catalog]))
        pattern = _like(cursor)
        with ctx.ledger.lock:
            names = [
                k[1]
                for k in sorted(ctx.ledger.schemas)
                if k[0] == catalog
                and pattern.fullmatch(k[1])
                and sees(ctx.ledger, ctx.principal, "SCHEMA", k)
            ]
        return table([(n,) for n in names], "databaseName")
    if cursor.accept("CATALOGS"):
        pattern = _like(cursor)
        return table([k for k in sorted(ctx.ledger.catalogs) if pattern.fullmatch(k[0])], "catalog")
    if cursor.accept("TABLES"):
        key, found = _visible(ctx, cursor)
        rows = [(r.key[1], r.key[2], False) for r in found]
        return table(rows, "database", "tableName", "isTemporary:bool")
    if cursor.accept("VIEWS"):
        key, found = _visible(ctx, cursor)
        rows_of_views = [
            (r.key[1], r.key[2], False, r.kind == "MATERIALIZED_VIEW")
            for r in found
            if r.kind in ("VIEW", "MATERIALIZED_VIEW")
        ]
        return table(
            rows_of_views, "namespace", "viewName", "isTemporary:bool", "isMaterialized:bool"
        )
    if cursor.accept("TABLE", "EXTENDED"):
        return introspection.table_extended(_visible(ctx, cursor)[1])
    if cursor.accept("VOLUMES"):
        key = ctx.schema_key(cursor.name()) if cursor.accept_any("IN", "FROM") else ctx.namespace
        cursor.end()
        return table(
            [(k[1], k[2]) for k in sorted(ctx.ledger.volumes) if k[:2] == key],
            *("database", "volume_name"),
        )
    if cursor.accept("USER", "FUNCTIONS") or cursor.accept("FUNCTIONS"):
        key = ctx.schema_key(cursor.name()) if cursor.accept_any("IN", "FROM") else ctx.namespace
        pattern = _like(cursor)
        return table(
            [
                (".".join(k),)
                for k in sorted(ctx.ledger.functions)
                if k[:2] == key and pattern.fullmatch(k[2])
            ],
            "function",
        )
    if cursor.accept("TBLPROPERTIES"):
        relation = _readable(ctx, cursor)
        cursor.end()
        return table(sorted(introspection.properties(relation).items()), "key", "value")
    if cursor.accept("GRANTS") or cursor.accept("GRANT"):
        return _show_grants(ctx, cursor)
    if cursor.peek("POLICIES") or cursor.peek("EFFECTIVE", "POLICIES"):
        is_effective = cursor.accept("EFFECTIVE")
        cursor.expect("POLICIES")
        return attribute_ddl.show_policies(ctx, cursor, is_effective)
    raise cursor.fail("the double does not support this SHOW")


def _show_grants(ctx: Context, cursor: Cursor) -> pa.Table:
    grantee = "" if cursor.peek("ON") else cursor.identifier()
    cursor.expect("ON")
    kind, key = ddl.securable(ctx, cursor)
    cursor.end()
    with ctx.ledger.lock:
        if not sees(ctx.ledger, ctx.principal, kind, key):
            require(ctx.ledger, ctx.principal, "MANAGE", kind, key)
        rows = [
            (who, privilege, on, ".".join(at))
            for who, privilege, on, at in introspection.privileges_on(ctx.ledger, kind, key)
            if not grantee or who == grantee
        ]
    return introspection.table(rows, "Principal", "ActionType", "ObjectType", "ObjectKey")


def _readable(ctx: Context, cursor: Cursor) -> Relation:
    """Read the name of a relation or temporary view whose metadata the principal may see."""
    parts = cursor.name()
    if len(parts) == 1 and parts[0] in ctx.temporary:
        found = Relation(("", "", parts[0]), "VIEW", ctx.principal.name)
        found.columns = ctx.temporary[parts[0]].columns
        return found
    key = ctx.key(parts)
    with ctx.ledger.lock:
        relation = ctx.ledger.relation(key)
        if not sees(ctx.ledger, ctx.principal, "TABLE", key):
            require(ctx.ledger, ctx.principal, "SELECT", "TABLE", key)
    return relation


def _describe(ctx: Context, cursor: Cursor) -> pa.Table:
    if not cursor.accept("DESCRIBE"):
        cursor.expect("DESC")
    if cursor.accept("HISTORY"):
        relation = _readable(ctx, cursor)
        cursor.end()
        ctx.route = "introspection"
        return introspection.history(relation)
    cursor.accept("TABLE")
    extended = cursor.accept("EXTENDED")
    relation = _readable(ctx, cursor)
    ctx.route = "introspection"
    if cursor.accept("AS", "JSON"):
        cursor.end()
        if not extended:
            raise cursor.fail("AS JSON needs EXTENDED")
        return introspection.describe_json(relation)
    cursor.end()
    return introspection.describe(relation, extended)


_HANDLERS: dict[str, Handler] = {
    "SELECT": _query,
    "WITH": _query,
    "VALUES": _query,
    "TABLE": _query,
    "FROM": _query,
    "(": _query,
    "INSERT": dml.insert,
    "MERGE": dml.merge,
    "UPDATE": dml.update,
    "DELETE": dml.delete,
    "CREATE": ddl.create,
    "ALTER": ddl.alter,
    "DROP": ddl.drop,
    "COMMENT": ddl.comment_on,
    "GRANT": ddl.grant,
    "REVOKE": ddl.grant,
    "REFRESH": ddl.refresh,
    "OPTIMIZE": _optimize,
    "VACUUM": _optimize,
    "ANALYZE": _optimize,
    "REORG": _optimize,
    "USE": _use,
    "SET": _set,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
}


def kind_of(text: str) -> str:
    """Return the leading words of a statement: SELECT, INSERT, CREATE TABLE, ALTER VIEW ...

    OR REPLACE and OR REFRESH are left out, so that one kind covers all creations of tables.
    """
    words = re.findall(r"\w+|\S", re.sub(r"\bTEMP\b", "TEMPORARY", text[:200].upper()))
    if not words:
        return ""
    first = str({"DESC": "DESCRIBE", "(": "SELECT", "WITH": "SELECT"}.get(words[0], words[0]))
    if first not in ("CREATE", "ALTER", "DROP", "REFRESH", "SHOW", "COMMENT"):
        return first
    rest = [w for w in words[1:6] if w not in ("OR", "REPLACE", "ON")]
    if rest and rest[0] == "REFRESH":
        rest = rest[1:]
    two = " ".join(rest[:2])
    if two in ("MATERIALIZED VIEW", "STREAMING TABLE", "TABLE EXTENDED", "TEMPORARY VIEW"):
        return f"{first} {two}"
    return f"{first} {rest[0]}" if rest else first


class Session:
    """A client's session, whose statements run one after the other."""

    def __init__(self, context: Context, journal: Journal, name: str) -> None:
        self.context, self.journal, self.name = context, journal, name
        self._lock = threading.Lock()

    def execute(self, text: str) -> pa.Table:
        """Run one statement and return its rows; raises WarehouseError."""
        with self._lock:
            return self._execute(text)

    def _execute(self, text: str) -> pa.Table:
        ctx, started = self.context, time.perf_counter()
        ctx.route = ""
        entry = Entry(ctx.principal.name, self.name, text, "", settings=dict(ctx.settings))
        try:
            statement = without_comments(text)
            entry.kind = kind_of(statement)
            ctx.operation = "WRITE" if entry.kind == "INSERT" else entry.kind
            cursor = Cursor(statement)
            token = cursor.token
            handler = _HANDLERS.get(token.text.upper()) if token else None
            if handler is None:
                raise cursor.fail("the double does not support this statement")
            return handler(ctx, cursor)
        except Exception as error:
            known = error if isinstance(error, WarehouseError) else engine_error(error)
            entry.error = str(known)
            raise known from error
        finally:
            ctx.clean_up()
            entry.route = ctx.route or "ledger"
            entry.ms = round(1000 * (time.perf_counter() - started), 1)
            self.journal.add(entry)
