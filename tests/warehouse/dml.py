"""INSERT, MERGE, UPDATE, DELETE: each writes a new table version, checks it, publishes it."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql.types import DataType, NumericType, StringType, StructField, StructType

from .attributes import effective
from .context import Context
from .engine import folder_sql
from .errors import WarehouseError
from .ledger import Function, Key, Relation
from .policies import require
from .sql_text import QUERY_WORDS, Cursor, Token, matching, quote, string_literal, tokenize

# MERGE rejects policies with these ("Row filters and column masks", limitations).
_NOT_SIMPLE = {
    **dict.fromkeys(("SELECT", "EXISTS"), "nesting"),
    **dict.fromkeys(("COUNT", "SUM", "MIN", "MAX", "AVG", "ANY_VALUE", "FIRST"), "aggregation"),
    **dict.fromkeys(("LAST", "COLLECT_LIST", "COLLECT_SET", "MAX_BY", "MIN_BY"), "aggregation"),
    "OVER": "windows",
    "LIMIT": "limits",
    **dict.fromkeys(("RAND", "RANDN", "RANDOM", "UUID", "SHUFFLE"), "non-deterministic functions"),
    **dict.fromkeys(("NOW", "CURRENT_TIMESTAMP", "CURRENT_DATE"), "non-deterministic functions"),
}
# A bracket after one of these groups a part of the expression; after another word it is a call's.
_BEFORE_GROUP = {*("AND", "OR", "NOT", "WHEN", "THEN", "ELSE", "CASE", "IN", "BETWEEN", "RETURN")}

_CHANGED_ROWS = (
    *("numDeletedRows", "numUpdatedRows"),
    *("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"),
)
# All rows of a temporary view, whose schema is known.
_WHOLE = re.compile(r"\s*select\s+\*\s+from\s+`?(\w+)`?\s*", re.IGNORECASE)
_NO_NUMBER = {"date", "timestamp", "timestamp_ntz", "boolean", "binary"}


def counted(rows: int, inserted: int | None = None) -> pa.Table:
    """Return the one-row result of a data statement."""
    found = {"num_affected_rows": [rows]}
    if inserted is not None:
        found["num_inserted_rows"] = [inserted]
    return pa.table(found)


def check_rows(ctx: Context, relation: Relation, folder: str) -> None:
    """Raise if rows in `folder` violate NOT NULL or CHECK of the relation."""
    rules: list[tuple[str, str, WarehouseError]] = []
    for column in relation.columns:
        if not column.nullable:
            error = WarehouseError(
                "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
                f"NOT NULL constraint violated for column: {column.name} of {quote(relation.key)}.",
                "23502",
            )
            rules.append((f"{quote([column.name])} is null", column.name, error))
    for constraint in relation.constraints:
        if constraint.kind == "CHECK":
            error = WarehouseError(
                "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES",
                f"CHECK constraint {constraint.name} ({constraint.expression}) violated by rows "
                f"of {quote(relation.key)}.",
                "23001",
            )
            rules.append(
                (f"not coalesce(({constraint.expression}), false)", constraint.name, error)
            )
    if not rules:
        return
    counts = ", ".join(f"count_if({broken}) as n{i}" for i, (broken, _, _) in enumerate(rules))
    found = ctx.engine.query(f"select {counts} from {folder_sql(folder)}")
    for i, (_, _, error) in enumerate(rules):
        if found.column(i)[0].as_py():
            raise error


def write(ctx: Context, key: Key, change: Callable[[Relation], tuple[str, int]]) -> int:
    """Publish a new version of a table; `change` returns its folder and the rows changed."""
    with ctx.ledger.write_lock(key):
        with ctx.ledger.lock:
            relation = ctx.ledger.relation(key)
            require(ctx.ledger, ctx.principal, "MODIFY", "TABLE", key)
        if relation.kind not in ("MANAGED", "EXTERNAL"):
            raise WarehouseError(
                "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
                f"{quote(key)} is a {relation.kind.lower().replace('_', ' ')}: rows cannot be "
                "written into it.",
                "42809",
            )
        folder, rows = change(relation)
        check_rows(ctx, relation, folder)
        with ctx.ledger.lock:
            relation.folder, relation.altered = folder, time.time()
            relation.history = (*relation.history, ctx.operation)
    return rows


@dataclass
class Source:
    """The rows of an INSERT: a rewritten query and its schema."""

    sql: str
    schema: StructType


def source_rows(ctx: Context, query: str) -> Source:
    """Return a query's rows as a source of an INSERT."""
    sql = ctx.rewrite(query)
    whole = _WHOLE.fullmatch(query)
    if whole and (view := ctx.temporary.get(whole[1].lower())):
        return Source(sql, StructType([StructField(c.name, c.type) for c in view.columns]))
    return Source(sql, ctx.engine.schema(sql))


def projected(source: Source, relation: Relation, by_name: bool, names: list[str]) -> str:
    """Return the query that gives a source's rows the columns and types of a table."""
    given = source.schema.fields
    wanted = [relation.column(n).name for n in names] or [c.name for c in relation.columns]
    if by_name:
        known = {c.name.lower(): c.name for c in relation.columns}
        strangers = [f.name for f in given if f.name.lower() not in known]
        if strangers:
            raise WarehouseError(
                "INCOMPATIBLE_DATA_FOR_TABLE.EXTRA_COLUMNS",
                f"Cannot write extra columns {', '.join(quote([s]) for s in strangers)} to "
                f"{quote(relation.key)}.",
                "KD000",
            )
        wanted = [known[f.name.lower()] for f in given]
    if len(wanted) != len(given) or len(set(wanted)) != len(wanted):
        raise WarehouseError(
            "INSERT_COLUMN_ARITY_MISMATCH",
            f"Cannot write to {quote(relation.key)}: {len(given)} data columns for "
            f"{len(wanted)} table columns.",
            "21S01",
        )
    position = {name: i for i, name in enumerate(wanted)}
    shown = []
    for column in relation.columns:
        at = position.get(column.name)
        if at is None:
            shown.append(f"cast(null as {column.type_text}) as {quote([column.name])}")
            continue
        _require_assignable(given[at].dataType, column.type, column.name, relation)
        shown.append(f"cast(__s.c{at} as {column.type_text}) as {quote([column.name])}")
    aliases = ", ".join(f"c{i}" for i in range(len(given)))
    return f"select {', '.join(shown)} from ({source.sql}) as __s({aliases})"


def _require_assignable(given: DataType, wanted: DataType, name: str, relation: Relation) -> None:
    """Raise for what ANSI store assignment rejects, such as text in a numeric column."""
    kind, target = given.typeName(), wanted.typeName()
    from_text = isinstance(given, StringType) and not isinstance(wanted, StringType)
    to_number = isinstance(wanted, NumericType) and kind in _NO_NUMBER
    to_boolean = target == "boolean" and kind not in ("boolean", "void")
    if from_text or to_number or to_boolean:
        raise WarehouseError(
            "INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST",
            f"Cannot write to {quote(relation.key)}: cannot safely cast {quote([name])} "
            f"{given.simpleString()} to {wanted.simpleString()}.",
            "KD000",
        )


def insert(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run INSERT INTO | OVERWRITE [BY NAME] [REPLACE WHERE | ON | USING] query."""
    cursor.expect("INSERT")
    overwrite = not cursor.accept("INTO")
    if overwrite:
        cursor.expect("OVERWRITE")
        cursor.accept("INTO")
    cursor.accept("TABLE")
    key = ctx.key(cursor.name())
    alias, names = key[2], []
    if cursor.peek("PARTITION"):
        raise cursor.fail("PARTITION is not supported by the double")
    if cursor.peek("(") and not _is_query(cursor.tokens, cursor.at + 1):
        names = cursor.identifiers()
    if cursor.accept("AS"):
        alias = cursor.identifier()
    by_name = cursor.accept("BY", "NAME")
    condition, how = "", ""
    if cursor.accept("REPLACE"):
        how = cursor.accept_any("WHERE", "ON", "USING")
        if not how or overwrite:
            raise cursor.fail("expected WHERE, ON or USING after INSERT INTO ... REPLACE")
        if how == "USING":
            columns = [quote([c]) for c in cursor.identifiers()]
            condition = " and ".join(f"{quote([alias])}.{c} <=> `__new`.{c}" for c in columns)
        else:
            condition = _condition(cursor)
    query, new_alias = _query(cursor)
    ctx.ledger.relation(key)
    source = source_rows(ctx, query)

    def change(relation: Relation) -> tuple[str, int]:
        rows = projected(source, relation, by_name, names)
        if (how or overwrite) and _policies(ctx, relation):
            ctx.ledger.refuse(
                "overwrite_of_a_protected_table" if overwrite else "replace_on_a_protected_table",
                f"{quote(key)} has policies.",
            )
        if not how and not overwrite:
            folder = ctx.engine.copy_table(relation.folder)
            return folder, ctx.engine.append(folder, rows)
        folder = ctx.engine.new_table(table_schema(relation))
        if how:
            _require_sees_all(ctx, relation)
            old = f"{folder_sql(relation.folder)} as {quote([alias])}"
            if how == "WHERE":
                condition_sql = ctx.rewrite(condition)
                kept = f"not coalesce(({condition_sql}), false)"
                _require_within(ctx, rows, condition_sql)
                ctx.engine.append(folder, f"select * from {old} where {kept}")
            else:
                # The new rows are computed once and joined with the old ones. ON names the query's
                # columns, USING those of the table.
                new = source
                if how == "USING":
                    new = Source(rows, table_schema(relation))
                stage = ctx.engine.new_table(new.schema)
                ctx.engine.append(stage, _typed(new))
                staged = Source(f"select * from {folder_sql(stage)}", new.schema)
                rows = projected(staged, relation, by_name, names if new is source else [])
                ctx.engine.append(
                    folder,
                    f"select {quote([alias])}.* from {old} left anti join {folder_sql(stage)} as "
                    f"{quote([new_alias or '__new'])} on {ctx.rewrite(condition)}",
                )
        return folder, ctx.engine.append(folder, rows)

    rows = write(ctx, key, change)
    return counted(rows, rows)


def _typed(source: Source) -> str:
    """Return the source with each column cast, so that a bare NULL has a type."""
    shown = ", ".join(
        f"cast({quote([f.name])} as {_stored(f.dataType)}) as {quote([f.name])}"
        for f in source.schema.fields
    )
    return f"select {shown} from ({source.sql}) as __s"


def _stored(kind: DataType) -> str:
    return "string" if kind.typeName() == "void" else kind.simpleString()


def table_schema(relation: Relation) -> StructType:
    schema = StructType()
    for column in relation.columns:
        schema = schema.add(column.name, column.type)
    return schema


def _require_within(ctx: Context, rows: str, condition: str) -> None:
    """Raise if new rows of REPLACE WHERE are outside the replaced part."""
    outside = f"select count(*) from ({rows}) as __r where not coalesce(({condition}), false)"
    if ctx.engine.query(outside).column(0)[0].as_py():
        raise WarehouseError(
            "DELTA_REPLACE_WHERE_MISMATCH",
            f"Written data does not conform to partial table overwrite condition '{condition}'.",
            "44000",
        )


def _is_query(tokens: Sequence[Token], at: int) -> bool:
    while at < len(tokens) and tokens[at].text == "(":
        at += 1
    return at < len(tokens) and tokens[at].word in QUERY_WORDS


def _condition(cursor: Cursor) -> str:
    """Read a condition up to the query after it."""
    first = cursor.at
    while (token := cursor.token) is not None:
        if token.word in QUERY_WORDS:
            break
        if token.text == "(" and token.kind == "symbol":
            before = cursor.tokens[cursor.at - 1] if cursor.at > first else None
            complete = before is not None and (
                before.kind in ("string", "number", "quoted") or before.text == ")"
            )
            if complete and _is_query(cursor.tokens, cursor.at):
                break
            cursor.at = matching(cursor.tokens, cursor.at)
        cursor.at += 1
    if first == cursor.at:
        raise cursor.fail("expected a condition")
    return cursor.text[cursor.tokens[first].start : cursor.tokens[cursor.at - 1].end]


def _query(cursor: Cursor) -> tuple[str, str]:
    """Read the query of an INSERT to the end, with the alias of `(query) as alias`."""
    if not _is_query(cursor.tokens, cursor.at):
        raise cursor.fail("expected a query")
    if cursor.peek("("):
        close = matching(cursor.tokens, cursor.at)
        after = cursor.tokens[close + 1 :]
        words = [t for t in after if t.text != ";"]
        named = len(words) == 2 and words[0].word == "AS"
        if named or (len(words) == 1 and words[0].kind in ("word", "quoted")):
            query = cursor.parenthesized()
            cursor.accept("AS")
            alias = cursor.identifier()
            cursor.end()
            return query, alias
    return cursor.rest(), ""


def merge(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run MERGE INTO target USING source ON ... WHEN ...."""
    cursor.expect("MERGE")
    if cursor.peek("WITH"):
        raise cursor.fail("WITH SCHEMA EVOLUTION is not supported by the double")
    cursor.expect("INTO")
    return _change(ctx, cursor, "merge into", "USING")


def update(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run UPDATE target SET ... [WHERE ...]."""
    cursor.expect("UPDATE")
    return _change(ctx, cursor, "update", "SET")


def delete(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run DELETE FROM target [WHERE ...]."""
    cursor.expect("DELETE", "FROM")
    return _change(ctx, cursor, "delete from", "WHERE", is_optional=True)


def _change(
    ctx: Context, cursor: Cursor, verb: str, clause: str, *, is_optional: bool = False
) -> pa.Table:
    """Run a statement that changes rows in place: verb, table and, from `clause`, the rest."""
    key, alias = _target(ctx, cursor, clause)
    is_at_end = is_optional and cursor.token is None
    if not (is_at_end or cursor.peek(clause)):
        raise cursor.fail(f"expected {clause}")
    body = cursor.rest()
    return counted(_in_place(ctx, key, lambda folder: f"{verb} {folder} as {alias} ", body))


def _target(ctx: Context, cursor: Cursor, before: str) -> tuple[Key, str]:
    key = ctx.key(cursor.name())
    alias = key[2]
    if cursor.accept("AS") or (
        cursor.token is not None and cursor.token.word != before and cursor.token.text != ";"
    ):
        alias = cursor.identifier()
    ctx.ledger.relation(key)
    return key, quote([alias])


def _in_place(ctx: Context, key: Key, head: Callable[[str], str], body: str) -> int:
    """Run a statement on a copy of the table's newest version."""
    require(ctx.ledger, ctx.principal, "SELECT", "TABLE", key)
    rewritten = ctx.rewrite(body)

    def change(relation: Relation) -> tuple[str, int]:
        if _policies(ctx, relation) and ctx.operation == "MERGE":
            ctx.ledger.refuse("merge_into_a_protected_table", f"{quote(key)} has policies.")
        _require_simple_policies(ctx, relation)
        _require_sees_all(ctx, relation)
        folder = ctx.engine.copy_table(relation.folder)
        before = ctx.engine.versions(folder)
        ctx.engine.change(head(folder_sql(folder)) + rewritten)
        if ctx.engine.versions(folder) == before:
            return folder, 0
        counts = ctx.engine.last_commit(folder)
        return folder, sum(counts.get(name, 0) for name in _CHANGED_ROWS)

    return write(ctx, key, change)


def _policies(ctx: Context, relation: Relation) -> list[Function]:
    """Return the functions of the row filter and masks that apply to the writer."""
    row_filter, masks = effective(ctx.ledger, ctx.principal, relation)
    held = [*masks.values(), *([row_filter] if row_filter else [])]
    return [ctx.ledger.function(policy.function) for policy in held]


def _require_simple_policies(ctx: Context, relation: Relation) -> None:
    for function in _policies(ctx, relation):
        if found := not_simple(function.body):
            raise WarehouseError(
                "ROW_COLUMN_ACCESS.UNSUPPORTED_MERGE",
                f"{quote(relation.key)} has the policy {quote(function.key)}, which is more than "
                f"a simple expression ({found}).",
                "0A000",
            )


def not_simple(body: str) -> str:
    """Return what MERGE rejects in a policy's body, '' if nothing.

    What Databricks calls nesting is not described: a subquery, a CASE or a bracket within another.
    """
    tokens, groups, cases = tokenize(body), list[bool](), 0
    for i, token in enumerate(tokens):
        if token.word in _NOT_SIMPLE:
            return _NOT_SIMPLE[token.word]
        cases += (token.word == "CASE") - (token.word == "END")
        if token.text == "(":
            before = tokens[i - 1] if i else None
            is_call = before is not None and (
                before.kind == "quoted" or (bool(before.word) and before.word not in _BEFORE_GROUP)
            )
            groups.append(not is_call)
        if cases > 1 or sum(groups) > 1:
            return "nesting"
        if token.text == ")":
            groups.pop()
    return ""


def _require_sees_all(ctx: Context, relation: Relation) -> None:
    """Raise if policies change the rows that the writer reads.

    Databricks evaluates the statement on the rows that the writer sees; the double cannot.
    """
    if not _policies(ctx, relation):
        return
    shown = ctx.rewrite(f"select count(*) from {quote(relation.key)}")
    whole = f"select count(*) from {folder_sql(relation.folder)}"
    masked = ctx.rewrite(f"select * from {quote(relation.key)}")
    same = ctx.engine.query(
        f"select ({shown}) = ({whole}) and not exists (({masked}) except all "
        f"(select * from {folder_sql(relation.folder)}))"
    )
    if not same.column(0)[0].as_py():
        raise WarehouseError(
            "UNSUPPORTED_FEATURE.WRITE_BEHIND_POLICY",
            f"Policies of {quote(relation.key)} hide rows or values from "
            f"{string_literal(ctx.principal.name)}, who may not change it.",
            "0A000",
        )
