"""CREATE, ALTER, DROP, COMMENT, GRANT: every clause is parsed; an unknown one is an error."""

import time
from dataclasses import dataclass, field, replace

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from . import attribute_ddl, dml
from .attributes import may_tag
from .context import EMPTY, Context
from .engine import folder_sql, nullable
from .errors import WarehouseError, not_found
from .ledger import (
    PRIVILEGES,
    Column,
    Constraint,
    Container,
    Function,
    Key,
    Policy,
    Relation,
)
from .policies import TemporaryView, require, require_owner
from .sql_text import Cursor, quote, split_commas, table_references

_TABLE_WORDS = {
    "TABLE": "MANAGED",
    "VIEW": "VIEW",
    "MATERIALIZED VIEW": "MATERIALIZED_VIEW",
    "STREAMING TABLE": "STREAMING_TABLE",
}
# DESCRIBE EXTENDED of a table that is refreshed manually.
MANUAL = "MANUAL"
_KEY_OPTIONS = (
    ("NOT", "ENFORCED"),
    ("DEFERRABLE",),
    ("INITIALLY", "DEFERRED"),
    ("NOT", "DEFERRABLE"),
    ("MATCH", "FULL"),
    ("ON", "UPDATE", "NO", "ACTION"),
    ("ON", "DELETE", "NO", "ACTION"),
    ("NORELY",),
)


@dataclass
class Definition:
    """The parts of a CREATE statement except its relation's name."""

    columns: list[Column] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    row_filter: Policy | None = None
    cluster_by: tuple[str, ...] = ()
    cluster_auto: bool = False
    partitioned_by: tuple[str, ...] = ()
    schedule: str = ""
    query: str = ""


def _exists(kind: str, key: Key) -> WarehouseError:
    return WarehouseError(f"{kind}_ALREADY_EXISTS", f"{quote(key)} already exists.", "42710")


def relation_kind(cursor: Cursor) -> str:
    """Read TABLE, VIEW, MATERIALIZED VIEW or STREAMING TABLE; '' if none comes next."""
    for words, kind in _TABLE_WORDS.items():
        if cursor.accept(*words.split()):
            return kind
    return ""


# ---- catalogs, schemas, volumes ----


def create(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run any CREATE statement."""
    cursor.expect("CREATE")
    or_replace = cursor.accept("OR", "REPLACE")
    or_refresh = not or_replace and cursor.accept("OR", "REFRESH")
    for kind in ("CATALOG", "SCHEMA", "DATABASE", "VOLUME"):
        if not or_replace and not or_refresh and cursor.accept(kind):
            return _create_container(ctx, cursor, "SCHEMA" if kind == "DATABASE" else kind)
    if not or_refresh and cursor.accept("FUNCTION"):
        return _create_function(ctx, cursor, or_replace)
    if not or_refresh and cursor.accept("POLICY"):
        return attribute_ddl.create_policy(ctx, cursor, or_replace)
    if not or_replace and not or_refresh and cursor.accept("GOVERNED", "TAG"):
        return attribute_ddl.create_tag(ctx, cursor)
    temporary = cursor.accept("TEMPORARY") or cursor.accept("TEMP")
    if temporary:
        cursor.expect("VIEW")
        return _create_temporary_view(ctx, cursor, or_replace)
    kind = relation_kind(cursor)
    if not kind or (or_refresh if kind != "STREAMING_TABLE" else or_replace):
        raise cursor.fail("the double does not support this CREATE")
    if kind == "VIEW":
        return _create_view(ctx, cursor, or_replace)
    return _create_table(ctx, cursor, kind, or_replace or or_refresh)


def _create_container(ctx: Context, cursor: Cursor, kind: str) -> pa.Table:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    parts = cursor.name()
    key: Key
    if kind == "CATALOG":
        key, above, needed = (parts[-1],), None, ""
    elif kind == "SCHEMA":
        key = ctx.schema_key(parts)
        above, needed = ("CATALOG", key[:1]), "CREATE SCHEMA"
    else:
        key = ctx.key(parts)
        above, needed = ("SCHEMA", key[:2]), "CREATE VOLUME"
        ctx.ledger.require_schema(key)
    comment = None
    while cursor.token is not None and cursor.token.text != ";":
        if cursor.accept("COMMENT"):
            comment = cursor.string()
        elif cursor.accept("MANAGED", "LOCATION"):
            cursor.string()
        else:
            raise cursor.fail("the double does not support this clause")
    cursor.end()
    with ctx.ledger.lock:
        held = ctx.ledger.containers(kind)
        if key in held:
            if if_not_exists:
                return EMPTY
            raise _exists(kind, key)
        if above is not None:
            if above[0] == "CATALOG" and above[1] not in ctx.ledger.catalogs:
                raise not_found("catalog", quote(above[1]))
            require(ctx.ledger, ctx.principal, needed, *above)
        held[key] = Container(key, ctx.principal.name, comment)
    return EMPTY


# ---- tables and views ----


def _elements(ctx: Context, text: str, found: Definition, typed: bool) -> None:
    """Read the columns and constraints between the parentheses of a CREATE."""
    for part in split_commas(text):
        cursor = Cursor(part)
        words = ("CONSTRAINT",), ("PRIMARY", "KEY"), ("FOREIGN", "KEY"), ("CHECK", "(")
        if any(cursor.peek(*w) for w in words):
            found.constraints.append(_constraint(ctx, cursor))
            cursor.end()
            continue
        column = Column(cursor.identifier(), StructType())
        if typed:
            kind = cursor.until("NOT", "COMMENT", "MASK", "DEFAULT", "GENERATED", "CONSTRAINT")
            if not kind:
                raise cursor.fail("expected a type")
            found.types.append(kind)
        while cursor.token is not None:
            if typed and cursor.accept("NOT", "NULL"):
                column.nullable = False
            elif cursor.accept("COMMENT"):
                column.comment = cursor.string()
            elif typed and cursor.accept("MASK"):
                function = ctx.policy(cursor, "mask")
                using = cursor.identifiers() if cursor.accept("USING", "COLUMNS") else []
                column.mask = Policy(function, tuple(using))
            else:
                raise cursor.fail("the double does not support this clause of a column")
        found.columns.append(column)
    names = [c.name.lower() for c in found.columns]
    if len(set(names)) != len(names):
        raise WarehouseError("COLUMN_ALREADY_EXISTS", "A column is named twice.", "42711")


def _constraint(ctx: Context, cursor: Cursor) -> Constraint:
    name = cursor.identifier() if cursor.accept("CONSTRAINT") else ""
    if cursor.accept("CHECK"):
        expression = cursor.parenthesized().strip()
        cursor.accept("ENFORCED")
        return Constraint(name or f"chk_{ctx.engine.number()}", "CHECK", expression=expression)
    kind = "PRIMARY KEY" if cursor.accept("PRIMARY", "KEY") else "FOREIGN KEY"
    if kind == "FOREIGN KEY":
        cursor.expect("FOREIGN", "KEY")
    columns = tuple(cursor.identifiers())
    parent: Key = ()
    parent_columns: tuple[str, ...] = ()
    if kind == "FOREIGN KEY":
        cursor.expect("REFERENCES")
        parent = ctx.key(cursor.name())
        if cursor.peek("("):
            parent_columns = tuple(cursor.identifiers())
    rely = False
    while cursor.token is not None and cursor.token.text != ";":
        if cursor.accept("RELY"):
            rely = True
        elif not any(cursor.accept(*words) for words in _KEY_OPTIONS):
            raise cursor.fail("the double does not support this option of a key")
    name = name or f"{kind[:1].lower()}k_{ctx.engine.number()}"
    return Constraint(name, kind, columns, "", parent, parent_columns, rely)


def _clauses(ctx: Context, cursor: Cursor, found: Definition, kind: str) -> None:
    """Read the clauses between the columns and the query, each at most once."""
    seen: set[str] = set()

    def once(clause: str) -> None:
        if clause in seen:
            raise cursor.fail(f"{clause} occurs twice")
        seen.add(clause)

    while cursor.token is not None and cursor.token.text != ";":
        if cursor.accept("AS"):
            found.query = cursor.rest()
            if not found.query:
                raise cursor.fail("expected a query")
            return
        if cursor.accept("COMMENT"):
            once("COMMENT")
            found.comment = cursor.string()
        elif cursor.accept("TBLPROPERTIES"):
            once("TBLPROPERTIES")
            found.properties = cursor.pairs()
        elif kind == "VIEW":
            raise cursor.fail("the double does not support this clause of a view")
        elif kind == "MANAGED" and cursor.accept("USING"):
            once("USING")
            if cursor.identifier().upper() != "DELTA":
                cursor.at -= 1
                raise cursor.fail("only Delta tables are supported by the double")
        elif cursor.accept("PARTITIONED", "BY"):
            once("PARTITIONED BY")
            found.partitioned_by = tuple(cursor.identifiers())
        elif cursor.accept("CLUSTER", "BY"):
            once("CLUSTER BY")
            found.cluster_auto = cursor.accept("AUTO")
            found.cluster_by = () if found.cluster_auto else tuple(cursor.identifiers())
        elif cursor.accept("WITH", "ROW", "FILTER"):
            once("WITH ROW FILTER")
            function = ctx.policy(cursor, "filter")
            cursor.expect("ON")
            found.row_filter = Policy(function, tuple(cursor.identifiers()))
        elif kind != "MANAGED" and (
            cursor.peek("SCHEDULE") or cursor.peek("TRIGGER", "ON", "UPDATE")
        ):
            once("SCHEDULE")
            found.schedule = _schedule(cursor)
        else:
            raise cursor.fail("the double does not support this clause of a table")


_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800}


def _schedule(cursor: Cursor) -> str:
    """Read a refresh schedule; return it as DESCRIBE EXTENDED spells it."""

    def interval() -> tuple[int, str]:
        count, unit = cursor.identifier(), cursor.identifier().upper()
        if not count.isdigit() or unit.removesuffix("S") not in _SECONDS:
            raise cursor.fail("expected a number and a unit before this")
        return int(count), unit

    if cursor.accept("TRIGGER", "ON", "UPDATE"):
        if not cursor.accept("AT", "MOST", "EVERY", "INTERVAL"):
            return "TRIGGER ON UPDATE"
        count, unit = interval()
        seconds = count * _SECONDS[unit.removesuffix("S")]
        return f"TRIGGER ON UPDATE AT MOST EVERY INTERVAL {seconds} SECOND"
    cursor.expect("SCHEDULE")
    cursor.accept("REFRESH")
    if cursor.accept("CRON"):
        cron = cursor.string()
        zone = cursor.string() if cursor.accept("AT", "TIME", "ZONE") else "Etc/UTC"
        return f"CRON '{cron}' AT TIME ZONE '{zone}'"
    cursor.expect("EVERY")
    count, unit = interval()
    return f"EVERY {count} {unit}"


def _may_create(ctx: Context, key: Key, needed: str, or_replace: bool) -> Relation | None:
    """Return the relation to replace, if there is one and it may be replaced."""
    ctx.ledger.require_schema(key)
    with ctx.ledger.lock:
        old = ctx.ledger.relations.get(key)
        if old is None:
            require(ctx.ledger, ctx.principal, needed, "SCHEMA", key[:2])
        elif or_replace:
            require_owner(ctx.ledger, ctx.principal, "TABLE", key)
    return old


def _create_table(ctx: Context, cursor: Cursor, kind: str, or_replace: bool) -> pa.Table:
    """Create a table, or a materialized view or streaming table as a table of its query's rows.

    A replace drops what it does not repeat: filter, masks, tags, comments, constraints. Grants and
    the owner stay.
    """
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    key = ctx.key(cursor.name())
    found = Definition()
    if cursor.peek("("):
        _elements(ctx, cursor.parenthesized(), found, typed=True)
    _clauses(ctx, cursor, found, kind)
    cursor.end()
    needed = "CREATE MATERIALIZED VIEW" if kind == "MATERIALIZED_VIEW" else "CREATE TABLE"
    with ctx.ledger.write_lock(key):
        old = _may_create(ctx, key, needed, or_replace)
        if old is not None:
            if if_not_exists:
                return EMPTY
            if not or_replace:
                raise _exists("TABLE_OR_VIEW", key)
            if old.kind != kind:
                raise WarehouseError(
                    "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE" if old.is_view else "WRONG_KIND",
                    f"{quote(key)} is a {old.kind.lower().replace('_', ' ')}: drop it first.",
                    "42809",
                )
        if kind != "MANAGED" and not found.query:
            raise cursor.fail("expected AS and a query")
        if kind == "MATERIALIZED_VIEW":
            ctx.ledger.refuse("materialized_view", f"{quote(key)} is a materialized view.")
        if found.query and found.columns and kind == "MANAGED":
            raise WarehouseError(
                "UNSUPPORTED_FEATURE.CTAS_WITH_COLUMNS",
                "CREATE TABLE AS SELECT takes its columns from the query alone.",
                "0A000",
            )
        relation = Relation(key, kind, old.owner if old else ctx.principal.name)
        _describe(ctx, relation, found)
        operation = f"CREATE {'OR REPLACE ' * or_replace}TABLE{' AS SELECT' * bool(found.query)}"
        relation.history = (*(old.history if old else ()), operation)
        rows = _fill(ctx, relation, found.query, old)
        _check_keys(ctx, relation)
        if old is not None:
            _keep(ctx, old, relation)
        ctx.check_policies(relation)
        dml.check_rows(ctx, relation, relation.folder)
        with ctx.ledger.lock:
            ctx.ledger.require_schema(key)
            ctx.ledger.relations[key] = relation
    return dml.counted(rows, rows) if found.query else EMPTY


def _keep(ctx: Context, old: Relation, new: Relation) -> None:
    """Keep of a replaced table what a workspace was found to keep, where it is not repeated."""
    repeated = new.row_filter, [column.mask for column in new.columns]
    if not any((repeated[0], *repeated[1])):
        ctx.ledger.keep_policies("policies_after_create_or_replace", old, new)
    if ctx.ledger.answers["grants_after_create_or_replace"] == "none":
        ctx.ledger.grants.pop(("TABLE", new.key), None)


def _describe(ctx: Context, relation: Relation, found: Definition) -> None:
    relation.comment, relation.properties = found.comment, found.properties
    relation.row_filter, relation.constraints = found.row_filter, found.constraints
    relation.cluster_by, relation.cluster_auto = found.cluster_by, found.cluster_auto
    relation.partitioned_by = found.partitioned_by
    relation.context, relation.columns = ctx.namespace, found.columns
    if relation.kind in ("MATERIALIZED_VIEW", "STREAMING_TABLE"):
        relation.schedule = found.schedule or MANUAL
        relation.text = found.query
    for column, kind in zip(found.columns, ctx.types(found.types), strict=bool(found.types)):
        column.type = nullable(kind)


def _fill(ctx: Context, relation: Relation, query: str, old: Relation | None) -> int:
    """Create the relation's folder with the rows of its query; return their number.

    A streaming table adds to the rows of `old` those of files that it has not read.
    """
    if not query:
        relation.folder = ctx.engine.new_table(dml.table_schema(relation))
        return 0
    source = dml.source_rows(ctx, query)
    if not relation.columns:
        relation.columns = columns_of(source.schema)
    for column in relation.columns:
        if column.type.typeName() == "void":
            raise WarehouseError(
                "UNSUPPORTED_DATATYPE", f"Column {column.name} is NULL without a type.", "0A000"
            )
    rows = dml.projected(source, relation, False, [])
    kept = ""
    if relation.kind == "STREAMING_TABLE":
        files = _stream_files(ctx, query)
        if old is not None and [(c.name, c.type) for c in old.columns] != [
            (c.name, c.type) for c in relation.columns
        ]:
            raise WarehouseError(
                "UNSUPPORTED_FEATURE.STREAM_SCHEMA_CHANGE",
                f"{quote(relation.key)}: the double does not change a stream's columns.",
                "0A000",
            )
        read = old.consumed if old else frozenset()
        relation.consumed = read | files
        kept = old.folder if old else ""
        if kept and files <= read:
            relation.folder = kept
            return 0
    relation.folder = (
        ctx.engine.copy_table(kept) if kept else ctx.engine.new_table(dml.table_schema(relation))
    )
    return ctx.engine.append(relation.folder, rows)


def _stream_files(ctx: Context, query: str) -> frozenset[str]:
    """Return the landed folders that a streaming table's query reads."""
    paths = [r.files.rstrip("/") for r in table_references(query) if r.files]
    if not paths:
        raise WarehouseError(
            "UNSUPPORTED_FEATURE.STREAM",
            "The double supports streaming tables only over STREAM READ_FILES.",
            "0A000",
        )
    return frozenset(ctx.ledger.files[path][0] for path in paths)


def _check_keys(ctx: Context, relation: Relation) -> None:
    """Raise for keys of missing columns or tables; a primary key makes its columns NOT NULL."""
    names = [c.name for c in relation.constraints]
    if len(set(names)) != len(names):
        raise WarehouseError("CONSTRAINT_ALREADY_EXISTS", "A constraint's name is taken.", "42710")
    if len([c for c in relation.constraints if c.kind == "PRIMARY KEY"]) > 1:
        raise WarehouseError(
            "PRIMARY_KEY_ALREADY_EXISTS", f"{quote(relation.key)} has one.", "42710"
        )
    for used in (*relation.cluster_by, *relation.partitioned_by):
        relation.column(used)
    for constraint in relation.constraints:
        for name in constraint.columns:
            column = relation.column(name)
            if constraint.kind == "PRIMARY KEY":
                column.nullable = False
        if constraint.kind == "FOREIGN KEY":
            _check_parent(ctx, relation, constraint)
        if constraint.kind == "CHECK":
            columns = ", ".join(
                f"cast(null as {c.type_text}) as {quote([c.name])}" for c in relation.columns
            )
            checked = f"select ({constraint.expression}) as c from (select {columns}) as __t"
            if ctx.engine.schema(checked).fields[0].dataType.typeName() != "boolean":
                raise WarehouseError(
                    "DELTA_NON_BOOLEAN_CHECK_CONSTRAINT",
                    f"CHECK constraint {constraint.name} is not a boolean expression.",
                    "42621",
                )


def _check_parent(ctx: Context, relation: Relation, constraint: Constraint) -> None:
    parent = (
        relation if constraint.parent == relation.key else ctx.ledger.relation(constraint.parent)
    )
    keys = [c.columns for c in parent.constraints if c.kind == "PRIMARY KEY"]
    wanted = constraint.parent_columns or (keys[0] if keys else ())
    if not keys or {c.lower() for c in keys[0]} != {c.lower() for c in wanted}:
        raise WarehouseError(
            "FOREIGN_KEY_MISMATCH",
            f"The parent {quote(parent.key)} has no primary key on ({', '.join(wanted)}).",
            "42830",
        )


def _create_temporary_view(ctx: Context, cursor: Cursor, or_replace: bool) -> pa.Table:
    name = cursor.name()
    if len(name) != 1:
        raise WarehouseError(
            "TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS", f"{quote(name)} must have one part.", "428EK"
        )
    if name[0] in ctx.temporary and not or_replace:
        raise _exists("TEMP_TABLE_OR_VIEW", tuple(name))
    cursor.expect("AS")
    text = cursor.rest()
    schema = ctx.engine.schema(ctx.rewrite(text))
    ctx.temporary[name[0]] = TemporaryView(text, ctx.namespace, columns_of(schema))
    return EMPTY


def _create_view(ctx: Context, cursor: Cursor, or_replace: bool) -> pa.Table:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    key = ctx.key(cursor.name())
    found = Definition()
    if cursor.peek("("):
        _elements(ctx, cursor.parenthesized(), found, typed=False)
    _clauses(ctx, cursor, found, "VIEW")
    cursor.end()
    if not found.query:
        raise cursor.fail("expected AS and a query")
    with ctx.ledger.write_lock(key):
        old = _may_create(ctx, key, "CREATE TABLE", or_replace)
        if old is not None:
            if if_not_exists:
                return EMPTY
            if not or_replace or not old.is_view:
                raise _exists("TABLE_OR_VIEW", key)
        relation = Relation(key, "VIEW", old.owner if old else ctx.principal.name)
        _describe(ctx, relation, found)
        _analyze_view(ctx, relation, found.query)
        with ctx.ledger.lock:
            ctx.ledger.require_schema(key)
            ctx.ledger.relations[key] = relation
    return EMPTY


def _analyze_view(ctx: Context, relation: Relation, query: str) -> None:
    """Set a view's text and columns from its query, which must not read temporary views."""
    plain = replace(ctx, temporary={})
    try:
        fields = ctx.engine.schema(plain.rewrite(query))
    finally:
        plain.clean_up()
    if not relation.columns:
        relation.columns = columns_of(fields)
    if len(relation.columns) != len(fields):
        raise WarehouseError(
            "CREATE_VIEW_COLUMN_ARITY_MISMATCH",
            f"{quote(relation.key)} has {len(relation.columns)} columns, its query {len(fields)}.",
            "21S01",
        )
    for column, given in zip(relation.columns, fields, strict=True):
        column.type = nullable(given.dataType)
    if [c.name for c in relation.columns] != [f.name for f in fields]:
        names = ", ".join(quote([c.name]) for c in relation.columns)
        query = f"select * from ({query}) as __view({names})"
    relation.text, relation.context = query, ctx.namespace


def refresh(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run REFRESH MATERIALIZED VIEW | STREAMING TABLE: compute its rows again."""
    cursor.expect("REFRESH")
    kind = relation_kind(cursor)
    key = ctx.key(cursor.name())
    full = cursor.accept("FULL")
    cursor.end()
    with ctx.ledger.write_lock(key):
        relation = ctx.ledger.relation(key)
        if kind not in ("MATERIALIZED_VIEW", "STREAMING_TABLE") or relation.kind != kind:
            raise cursor.fail(f"{quote(key)} cannot be refreshed as that (full: {full})")
        require_owner(ctx.ledger, ctx.principal, "TABLE", key)
        new = replace(relation, altered=time.time())
        place = replace(ctx, catalog=new.context[0], schema=new.context[1])
        _fill(place, new, new.text, None if full else relation)
        dml.check_rows(ctx, new, new.folder)
        with ctx.ledger.lock:
            ctx.ledger.relations[key] = new
    return EMPTY


# ---- functions ----


def _create_function(ctx: Context, cursor: Cursor, or_replace: bool) -> pa.Table:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    key = ctx.key(cursor.name())
    parameters = []
    for part in split_commas(cursor.parenthesized()):
        inner = Cursor(part)
        name = inner.identifier().lower()
        kind = inner.until("COMMENT", "DEFAULT")
        if inner.accept("COMMENT"):
            inner.string()
        inner.end()
        parameters.append((name, kind))
    cursor.expect("RETURNS")
    words = ("LANGUAGE", "RETURN", "COMMENT", "DETERMINISTIC", "NOT", "CONTAINS", "READS", "SQL")
    returns, comment = cursor.until(*words), None
    while not cursor.accept("RETURN"):
        if cursor.accept("COMMENT"):
            comment = cursor.string()
        elif not any(
            cursor.accept(*w)
            for w in (
                ("LANGUAGE", "SQL"),
                ("NOT", "DETERMINISTIC"),
                ("DETERMINISTIC",),
                ("CONTAINS", "SQL"),
                ("READS", "SQL", "DATA"),
                ("SQL", "SECURITY", "DEFINER"),
            )
        ):
            raise cursor.fail("the double supports SQL functions of one expression")
    body = cursor.rest()
    if not body or not returns:
        raise cursor.fail("expected RETURNS type and RETURN expression")
    function = Function(key, ctx.principal.name, tuple(parameters), returns, body, comment)
    ctx.ledger.require_schema(key)
    with ctx.ledger.lock:
        old = ctx.ledger.functions.get(key)
        if old is not None:
            if if_not_exists:
                return EMPTY
            if not or_replace:
                raise _exists("ROUTINE", key)
            require_owner(ctx.ledger, ctx.principal, "FUNCTION", key)
            _require_unused(ctx, key, "function_replaced_while_it_protects")
            function.owner = old.owner
        else:
            require(ctx.ledger, ctx.principal, "CREATE FUNCTION", "SCHEMA", key[:2])
    _analyze_function(ctx, function)
    with ctx.ledger.lock:
        ctx.ledger.functions[key] = function
    return EMPTY


def _analyze_function(ctx: Context, function: Function) -> None:
    """Raise if the function's body has unknown columns or wrong types."""
    columns = ", ".join(f"cast(null as {kind}) as {quote([n])}" for n, kind in function.parameters)
    source = f" from (select {columns}) as {quote(function.key[2:])}" if columns else ""
    context = replace(ctx, catalog=function.key[0], schema=function.key[1])
    body = context.rewrite(function.body)
    ctx.engine.schema(f"select cast(({body}) as {function.returns}) as c{source}")


# ---- DROP ----


def drop(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run any DROP statement."""
    cursor.expect("DROP")
    if cursor.accept("FUNCTION"):
        return _drop_object(ctx, cursor, "FUNCTION")
    if cursor.accept("VOLUME"):
        return _drop_object(ctx, cursor, "VOLUME")
    if cursor.accept("POLICY"):
        return attribute_ddl.drop_policy(ctx, cursor)
    if cursor.accept("GOVERNED", "TAG"):
        return attribute_ddl.drop_tag(ctx, cursor)
    if cursor.accept_any("SCHEMA", "DATABASE"):
        return _drop_schema(ctx, cursor)
    kind = relation_kind(cursor)
    if not kind:
        raise cursor.fail("the double does not support this DROP")
    if_exists = cursor.accept("IF", "EXISTS")
    parts = cursor.name()
    cursor.end()
    if kind == "VIEW" and len(parts) == 1 and parts[0] in ctx.temporary:
        del ctx.temporary[parts[0]]
        return EMPTY
    key = ctx.key(parts)
    with ctx.ledger.write_lock(key), ctx.ledger.lock:
        relation = ctx.ledger.relations.get(key)
        if relation is None and if_exists:
            return EMPTY
        relation = ctx.ledger.relation(key)
        if (kind == "VIEW") != relation.is_view:
            raise WarehouseError(
                "WRONG_COMMAND_FOR_OBJECT_TYPE",
                f"{quote(key)} is a {relation.kind.lower().replace('_', ' ')}.",
                "42809",
            )
        require_owner(ctx.ledger, ctx.principal, "TABLE", key)
        ctx.ledger.drop_relation(key)
    return EMPTY


def _drop_object(ctx: Context, cursor: Cursor, kind: str) -> pa.Table:
    if_exists = cursor.accept("IF", "EXISTS")
    key = ctx.key(cursor.name())
    cursor.end()
    with ctx.ledger.lock:
        exists = key in (ctx.ledger.functions if kind == "FUNCTION" else ctx.ledger.volumes)
        if not exists and if_exists:
            return EMPTY
        require_owner(ctx.ledger, ctx.principal, kind, key)
        if kind == "FUNCTION":
            _require_unused(ctx, key, "function_dropped_while_it_protects")
            del ctx.ledger.functions[key]
        else:
            del ctx.ledger.volumes[key]
        ctx.ledger.grants.pop((kind, key), None)
    return EMPTY


def _require_unused(ctx: Context, key: Key, probe: str) -> None:
    """Raise as a workspace answered to a probe, if the function is a table's policy."""
    for relation in ctx.ledger.relations.values():
        held = [c.mask for c in relation.columns] + [relation.row_filter]
        if any(policy and policy.function == key for policy in held):
            ctx.ledger.refuse(probe, f"{quote(key)} protects {quote(relation.key)}.")


def _drop_schema(ctx: Context, cursor: Cursor) -> pa.Table:
    if_exists = cursor.accept("IF", "EXISTS")
    key = ctx.schema_key(cursor.name())
    cascade = cursor.accept("CASCADE")
    cursor.accept("RESTRICT")
    cursor.end()
    with ctx.ledger.lock:
        if key not in ctx.ledger.schemas and if_exists:
            return EMPTY
        ctx.ledger.require_schema(key)
        require_owner(ctx.ledger, ctx.principal, "SCHEMA", key)
        if not cascade and ctx.ledger.in_schema(key):
            raise WarehouseError("SCHEMA_NOT_EMPTY", f"{quote(key)} is not empty.", "2BP01")
        ctx.ledger.drop_schema(key)
    return EMPTY


# ---- ALTER ----


def alter(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run any ALTER statement."""
    cursor.expect("ALTER")
    container = cursor.accept_any("CATALOG", "SCHEMA", "DATABASE", "VOLUME")
    if container:
        return _alter_container(ctx, cursor, "SCHEMA" if container == "DATABASE" else container)
    if cursor.accept("FUNCTION"):
        key = ctx.key(cursor.name())
        require_owner(ctx.ledger, ctx.principal, "FUNCTION", key)
        ctx.ledger.functions[key].owner = _new_owner(ctx, cursor)
        return EMPTY
    kind = relation_kind(cursor)
    if not kind:
        raise cursor.fail("the double does not support this ALTER")
    key = ctx.key(cursor.name())
    with ctx.ledger.write_lock(key):
        relation = ctx.ledger.relation(key)
        # ALTER TABLE also sets tags, properties and owners of a view.
        if kind != relation.kind and kind != "MANAGED":
            raise WarehouseError(
                "WRONG_COMMAND_FOR_OBJECT_TYPE",
                f"{quote(key)} is a {relation.kind.lower().replace('_', ' ')}.",
                "42809",
            )
        require_owner(ctx.ledger, ctx.principal, "TABLE", key)
        if cursor.accept("RENAME", "TO"):
            return _rename(ctx, cursor, key)
        new = replace(
            relation,
            columns=[replace(c, tags=dict(c.tags)) for c in relation.columns],
            properties=dict(relation.properties),
            tags=dict(relation.tags),
            constraints=list(relation.constraints),
            altered=time.time(),
        )
        _alter_relation(ctx, cursor, new)
        cursor.end()
        ctx.check_policies(new)
        with ctx.ledger.lock:
            ctx.ledger.relation(key)
            ctx.ledger.relations[key] = new
    return EMPTY


def _new_owner(ctx: Context, cursor: Cursor) -> str:
    cursor.accept("SET")
    cursor.expect("OWNER", "TO")
    owner = cursor.identifier()
    cursor.end()
    ctx.ledger.require_known(owner)
    return owner


def _alter_container(ctx: Context, cursor: Cursor, kind: str) -> pa.Table:
    parts = cursor.name()
    key: Key = tuple(parts)
    if kind == "SCHEMA":
        key = ctx.schema_key(parts)
    elif kind == "VOLUME":
        key = ctx.key(parts)
    with ctx.ledger.lock:
        require_owner(ctx.ledger, ctx.principal, kind, key)
        held = ctx.ledger.containers(kind)[key]
        if cursor.accept("SET", "TAGS"):
            held.tags.update(may_tag(ctx.ledger, ctx.principal, cursor.pairs()))
        elif cursor.accept("UNSET", "TAGS"):
            for name in may_tag(ctx.ledger, ctx.principal, cursor.pairs(), is_new=False):
                held.tags.pop(name, None)
        else:
            held.owner = _new_owner(ctx, cursor)
        cursor.end()
    return EMPTY


def _rename(ctx: Context, cursor: Cursor, key: Key) -> pa.Table:
    parts = cursor.name()
    cursor.end()
    # A name of one part refers to the table's schema, not to the session's.
    new = (*key[:2], parts[0]) if len(parts) == 1 else ctx.key(parts)
    ctx.ledger.require_schema(new)
    if new[:2] != key[:2]:
        require(ctx.ledger, ctx.principal, "CREATE TABLE", "SCHEMA", new[:2])
    with ctx.ledger.lock:
        ctx.ledger.rename_relation(key, new)
    return EMPTY


def _alter_relation(ctx: Context, cursor: Cursor, new: Relation) -> None:
    """Change `new`, a copy to be published afterwards."""
    if cursor.accept("SET", "TAGS"):
        new.tags.update(may_tag(ctx.ledger, ctx.principal, cursor.pairs()))
    elif cursor.accept("UNSET", "TAGS"):
        for name in may_tag(ctx.ledger, ctx.principal, cursor.pairs(), is_new=False):
            new.tags.pop(name, None)
    elif cursor.accept("SET", "TBLPROPERTIES"):
        new.properties.update(cursor.pairs())
    elif cursor.accept("UNSET", "TBLPROPERTIES"):
        cursor.accept("IF", "EXISTS")
        for name in cursor.pairs():
            new.properties.pop(name, None)
    elif cursor.peek("SET", "OWNER") or cursor.peek("OWNER"):
        new.owner = _new_owner(ctx, cursor)
    elif new.is_view and cursor.accept("AS"):
        new.columns = []
        _analyze_view(ctx, new, cursor.rest())
    elif cursor.accept("ALTER", "COLUMN") or cursor.accept("CHANGE", "COLUMN"):
        _alter_column(ctx, cursor, new)
    elif new.is_view:
        raise cursor.fail("the double does not support this change of a view")
    elif cursor.accept("SET", "ROW", "FILTER"):
        function = ctx.policy(cursor, "filter")
        cursor.expect("ON")
        new.row_filter = Policy(function, tuple(cursor.identifiers()))
    elif cursor.accept("DROP", "ROW", "FILTER"):
        new.row_filter = None
    elif cursor.accept("CLUSTER", "BY"):
        new.cluster_auto, new.cluster_by = cursor.accept("AUTO"), ()
        if not new.cluster_auto and not cursor.accept("NONE"):
            new.cluster_by = tuple(cursor.identifiers())
            for name in new.cluster_by:
                new.column(name)
    elif new.kind in ("MATERIALIZED_VIEW", "STREAMING_TABLE"):
        if cursor.accept("DROP", "SCHEDULE"):
            new.schedule = MANUAL
        else:
            cursor.accept_any("ADD", "ALTER")
            new.schedule = _schedule(cursor)
    elif cursor.accept("ADD", "COLUMNS") or cursor.accept("ADD", "COLUMN"):
        _add_columns(ctx, cursor, new)
    elif cursor.accept("DROP", "COLUMNS") or cursor.accept("DROP", "COLUMN"):
        _drop_columns(ctx, cursor, new)
    elif cursor.accept("RENAME", "COLUMN"):
        column = new.column(cursor.identifier())
        old, cursor_to = column.name, cursor.accept("TO")
        if not cursor_to:
            raise cursor.fail("expected TO")
        column.name = cursor.identifier()
        _rebuild(ctx, new, {column.name: quote([old])})
    elif cursor.accept("DROP", "CONSTRAINT"):
        _drop_constraint(cursor, new)
    elif cursor.accept("ADD"):
        _add_constraint(ctx, cursor, new)
    else:
        raise cursor.fail("the double does not support this change of a table")


def _alter_column(ctx: Context, cursor: Cursor, new: Relation) -> None:
    column = new.column(cursor.identifier())
    if cursor.accept("SET", "TAGS"):
        column.tags.update(may_tag(ctx.ledger, ctx.principal, cursor.pairs()))
    elif cursor.accept("UNSET", "TAGS"):
        for name in may_tag(ctx.ledger, ctx.principal, cursor.pairs(), is_new=False):
            column.tags.pop(name, None)
    elif cursor.accept("COMMENT"):
        column.comment = cursor.string()
    elif cursor.accept("SET", "MASK"):
        function = ctx.policy(cursor, "mask")
        using = cursor.identifiers() if cursor.accept("USING", "COLUMNS") else []
        column.mask = Policy(function, tuple(using))
    elif cursor.accept("DROP", "MASK"):
        column.mask = None
    elif new.is_view:
        raise cursor.fail("the double does not support this change of a view's column")
    elif cursor.accept("SET", "NOT", "NULL"):
        column.nullable = False
        dml.check_rows(ctx, new, new.folder)
    elif cursor.accept("DROP", "NOT", "NULL"):
        if any(
            column.name.lower() in (n.lower() for n in c.columns)
            for c in new.constraints
            if c.kind == "PRIMARY KEY"
        ):
            raise WarehouseError(
                "COLUMN_OF_PRIMARY_KEY", f"{column.name} belongs to the primary key.", "42830"
            )
        column.nullable = True
    elif cursor.accept("TYPE"):
        column.type = nullable(ctx.types([cursor.rest()])[0])
        _rebuild(ctx, new, {})
    else:
        raise cursor.fail("the double does not support this change of a column")


def _add_columns(ctx: Context, cursor: Cursor, new: Relation) -> None:
    found = Definition()
    _elements(ctx, cursor.parenthesized(), found, typed=True)
    taken = {c.name.lower() for c in new.columns}
    for column, kind in zip(found.columns, ctx.types(found.types), strict=True):
        if column.name.lower() in taken or not column.nullable:
            raise WarehouseError(
                "FIELD_ALREADY_EXISTS" if column.nullable else "DELTA_ADD_COLUMN_NOT_NULL",
                f"Column {column.name} cannot be added.",
                "42710",
            )
        column.type = nullable(kind)
    new.columns += found.columns
    _rebuild(ctx, new, {c.name: "null" for c in found.columns})


def _drop_columns(ctx: Context, cursor: Cursor, new: Relation) -> None:
    cursor.accept("IF", "EXISTS")
    names = cursor.identifiers() if cursor.peek("(") else [cursor.identifier()]
    for name in names:
        gone = new.column(name)
        policies = [c.mask for c in new.columns if c.mask] + [new.row_filter]
        used = {n.lower() for p in policies if p for n in p.columns}
        used |= {n.lower() for c in new.constraints for n in c.columns}
        used |= {n.lower() for n in (*new.cluster_by, *new.partitioned_by)}
        if gone.name.lower() in used or set(gone.tags) & set(ctx.ledger.governed):
            raise WarehouseError(
                "COLUMN_IN_USE",
                f"{gone.name} belongs to a key, policy or clustering, or has a governed tag.",
                "42P10",
            )
        new.columns.remove(gone)
    _rebuild(ctx, new, {})


def _rebuild(ctx: Context, new: Relation, values: dict[str, str]) -> None:
    """Rewrite the rows for changed columns; `values` has the expressions of other columns."""
    shown = ", ".join(
        f"cast({values.get(c.name, quote([c.name]))} as {c.type_text}) as {quote([c.name])}"
        for c in new.columns
    )
    old = new.folder
    new.folder = ctx.engine.new_table(dml.table_schema(new))
    ctx.engine.append(new.folder, f"select {shown} from {folder_sql(old)}")


def _drop_constraint(cursor: Cursor, new: Relation) -> None:
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.identifier()
    cursor.accept_any("CASCADE", "RESTRICT")
    kept = [c for c in new.constraints if c.name.lower() != name.lower()]
    if len(kept) == len(new.constraints) and not if_exists:
        raise WarehouseError(
            "CONSTRAINT_DOES_NOT_EXIST", f"{quote(new.key)} has no constraint {name}.", "42704"
        )
    new.constraints = kept


def _add_constraint(ctx: Context, cursor: Cursor, new: Relation) -> None:
    constraint = _constraint(ctx, cursor)
    if constraint.kind == "PRIMARY KEY":
        loose = [n for n in constraint.columns if new.column(n).nullable]
        if loose:
            raise WarehouseError(
                "PRIMARY_KEY_COLUMN_NULLABLE",
                f"Column {', '.join(loose)} of {quote(new.key)} must be NOT NULL first.",
                "42831",
            )
    new.constraints.append(constraint)
    _check_keys(ctx, new)
    if constraint.kind == "CHECK":
        try:
            dml.check_rows(ctx, replace(new, constraints=[constraint]), new.folder)
        except WarehouseError as error:
            raise WarehouseError(
                "DELTA_NEW_CHECK_CONSTRAINT_VIOLATION",
                f"Rows in {quote(new.key)} violate the new CHECK constraint "
                f"({constraint.expression}).",
                "23512",
            ) from error


# ---- COMMENT, GRANT, REVOKE ----


def comment_on(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run COMMENT ON."""
    cursor.expect("COMMENT", "ON")
    kind = relation_kind(cursor)
    what = "" if kind else cursor.accept_any("COLUMN", "CATALOG", "SCHEMA", "DATABASE", "VOLUME")
    if not kind and not what:
        raise cursor.fail("the double does not support this COMMENT")
    parts = cursor.name()
    cursor.expect("IS")
    text = None if cursor.accept("NULL") else cursor.string()
    cursor.end()
    if kind or what == "COLUMN":
        key = ctx.key(parts if kind else parts[:-1])
        with ctx.ledger.write_lock(key), ctx.ledger.lock:
            relation = ctx.ledger.relation(key)
            require(ctx.ledger, ctx.principal, "MODIFY", "TABLE", key)
            if kind:
                relation.comment = text
            else:
                relation.column(parts[-1]).comment = text
            relation.altered = time.time()
        return EMPTY
    with ctx.ledger.lock:
        what = "SCHEMA" if what == "DATABASE" else what
        own: Key = tuple(parts)
        if what == "SCHEMA":
            own = ctx.schema_key(parts)
        elif what == "VOLUME":
            own = ctx.key(parts)
        require_owner(ctx.ledger, ctx.principal, what, own)
        ctx.ledger.containers(what)[own].comment = text
    return EMPTY


def securable(ctx: Context, cursor: Cursor) -> tuple[str, Key]:
    """Read [kind] name of the object of a grant, which must exist."""
    kind = "TABLE"
    if cursor.accept("EXTERNAL", "LOCATION"):
        kind = "EXTERNAL LOCATION"
    elif word := cursor.accept_any("CATALOG", "SCHEMA", "DATABASE", "FUNCTION", "VOLUME"):
        kind = "SCHEMA" if word == "DATABASE" else word
    else:
        relation_kind(cursor)
    parts = cursor.name()
    if kind in ("CATALOG", "EXTERNAL LOCATION"):
        key: Key = (".".join(parts),)
    elif kind == "SCHEMA":
        key = ctx.schema_key(parts)
    else:
        key = ctx.key(parts)
        ctx.ledger.require_schema(key)
    ctx.ledger.owner(kind, key)
    return kind, key


def grant(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run GRANT or REVOKE."""
    verb = cursor.accept_any("GRANT", "REVOKE")
    names = split_commas(cursor.until("ON"))
    privileges = {" ".join(t.split()).upper() for t in names}
    privileges = {"ALL PRIVILEGES" if p == "ALL" else p for p in privileges}
    cursor.expect("ON")
    kind, key = securable(ctx, cursor)
    cursor.expect("TO" if verb == "GRANT" else "FROM")
    grantee = cursor.identifier()
    cursor.end()
    if not privileges or (strange := privileges - PRIVILEGES[kind]):
        raise WarehouseError(
            "INVALID_PRIVILEGE",
            f"Privilege {', '.join(sorted(strange))} is not applicable to {kind} {quote(key)}.",
            "22023",
        )
    ctx.ledger.require_known(grantee)
    require_owner(ctx.ledger, ctx.principal, kind, key)
    with ctx.ledger.lock:
        held = ctx.ledger.grants.setdefault((kind, key), set())
        pairs = {(grantee, privilege) for privilege in privileges}
        if verb == "GRANT":
            held |= pairs
        else:
            held -= pairs
    return EMPTY


def columns_of(schema: StructType) -> list[Column]:
    """Return the columns of a schema, all nullable."""
    return [Column(f.name, nullable(f.dataType)) for f in schema.fields]


def adopt(ctx: Context, key: Key, frame: DataFrame) -> None:
    """Create or replace a table from a data frame, like saveAsTable in overwrite mode."""
    with ctx.ledger.write_lock(key):
        old = _may_create(ctx, key, "CREATE TABLE", True)
        relation = Relation(key, "MANAGED", old.owner if old else ctx.principal.name)
        relation.columns = columns_of(frame.schema)
        relation.folder = ctx.engine.new_table(frame.schema)
        ctx.engine.append_frame(relation.folder, frame)
        with ctx.ledger.lock:
            ctx.ledger.require_schema(key)
            ctx.ledger.relations[key] = relation
