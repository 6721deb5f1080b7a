"""Statements about policies by tags and about governed tags."""

import pyarrow as pa

from . import introspection
from .attributes import policies_on, read_condition, require_governed
from .context import EMPTY, Context
from .errors import WarehouseError, not_found
from .ledger import AttributePolicy, GovernedTag, Key, ancestors
from .policies import require, require_owner
from .sql_text import Cursor, quote, split_commas

_MOST = {"CATALOG": 100, "SCHEMA": 100, "TABLE": 50}
_MOST_PRINCIPALS = 20
_MOST_CONDITIONS = {"ROW_FILTER": 6, "COLUMN_MASK": 3}


def _invalid(message: str) -> WarehouseError:
    return WarehouseError("INVALID_PARAMETER_VALUE", message, "22023")


def _object(ctx: Context, cursor: Cursor) -> tuple[str, Key]:
    """Read CATALOG | SCHEMA | TABLE and the name of an object, which must exist."""
    kind = cursor.accept_any("CATALOG", "SCHEMA", "TABLE")
    if not kind:
        raise cursor.fail("the double supports policies on a catalog, schema or table")
    parts = cursor.name()
    key: Key = ctx.key(parts) if kind == "TABLE" else tuple(parts)
    if kind == "SCHEMA":
        key = ctx.schema_key(parts)
    ctx.ledger.owner(kind, key)
    if kind == "TABLE" and ctx.ledger.relation(key).is_view:
        raise WarehouseError(
            "POLICY_ON_SECURABLE_TYPE_NOT_SUPPORTED", f"{quote(key)} is a view.", "0A000"
        )
    return kind, key


def _principals(ctx: Context, cursor: Cursor) -> tuple[str, ...]:
    names = [cursor.identifier()]
    while cursor.accept(","):
        names.append(cursor.identifier())
    for name in names:
        ctx.ledger.require_known(name)
    return tuple(names)


def create_policy(ctx: Context, cursor: Cursor, or_replace: bool) -> pa.Table:
    """Run CREATE [OR REPLACE] POLICY from the policy's name on."""
    name = cursor.identifier().lower()
    cursor.expect("ON")
    on, at = _object(ctx, cursor)
    comment = cursor.string() if cursor.accept("COMMENT") else None
    kind = "ROW_FILTER" if cursor.accept("ROW", "FILTER") else "COLUMN_MASK"
    if kind == "COLUMN_MASK":
        cursor.expect("COLUMN", "MASK")
    function = ctx.key(cursor.name())
    ctx.ledger.function(function)
    cursor.expect("TO")
    to = _principals(ctx, cursor)
    exempt = _principals(ctx, cursor) if cursor.accept("EXCEPT") else ()
    cursor.expect("FOR", "TABLES")
    when, matches, column, using = "", [], "", []
    conditions = []
    if cursor.accept("WHEN"):
        conditions.append(read_condition(cursor))
        when = conditions[0].text
    if cursor.accept("MATCH", "COLUMNS"):
        for part in split_commas(cursor.until("ON", "USING")):
            inner = Cursor(part)
            conditions.append(read_condition(inner))
            inner.accept("AS")
            alias = inner.identifier().lower() if inner.token else ""
            inner.end()
            matches.append((conditions[-1].text, alias))
    if kind == "COLUMN_MASK":
        cursor.expect("ON", "COLUMN")
        column = cursor.identifier().lower()
    if cursor.accept("USING", "COLUMNS"):
        using = [alias.lower() for alias in cursor.identifiers()]
    cursor.end()
    aliases = {alias for _, alias in matches}
    for alias in {*using, *([column] if column else [])} - aliases:
        raise _invalid(f"The alias {alias} is not one of MATCH COLUMNS.")
    if len(to) + len(exempt) > _MOST_PRINCIPALS or len(matches) > _MOST_CONDITIONS[kind]:
        raise _invalid(f"Policy {name} has too many principals or column conditions.")
    for condition in conditions:
        require_governed(ctx.ledger, condition)
    _check_function(ctx, kind, function, len(using) + (kind == "COLUMN_MASK"))
    policy = AttributePolicy(
        name, (on, at), kind, function, to, exempt, when, tuple(matches), column, tuple(using),
        comment, ctx.principal.name,
    )  # fmt: skip
    with ctx.ledger.lock:
        require_owner(ctx.ledger, ctx.principal, on, at)
        require(ctx.ledger, ctx.principal, "EXECUTE", "FUNCTION", function)
        place = (on, at, name)
        if place in ctx.ledger.policies and not or_replace:
            raise WarehouseError(
                "POLICY_ALREADY_EXISTS", f"{quote(at)} has a policy {name} already.", "42710"
            )
        if place not in ctx.ledger.policies and len(policies_on(ctx.ledger, on, at)) >= _MOST[on]:
            raise _invalid(f"{quote(at)} has the most policies that are allowed, {_MOST[on]}.")
        ctx.ledger.policies[place] = policy
    return EMPTY


def _check_function(ctx: Context, kind: str, key: Key, arguments: int) -> None:
    function = ctx.ledger.function(key)
    if len(function.parameters) != arguments:
        raise _invalid(
            f"The policy definition requires {arguments} argument(s), but the referred function "
            f"{quote(key)} takes {len(function.parameters)} argument(s)."
        )
    if kind == "ROW_FILTER" and function.returns.lower() != "boolean":
        raise _invalid(f"The row filter {quote(key)} returns {function.returns}, not boolean.")


def drop_policy(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run DROP POLICY from the policy's name on."""
    name = cursor.identifier().lower()
    cursor.expect("ON")
    on, at = _object(ctx, cursor)
    cursor.end()
    with ctx.ledger.lock:
        require_owner(ctx.ledger, ctx.principal, on, at)
        if ctx.ledger.policies.pop((on, at, name), None) is None:
            raise WarehouseError("POLICY_NOT_FOUND", f"{quote(at)} has no policy {name}.", "42704")
    return EMPTY


def show_policies(ctx: Context, cursor: Cursor, is_effective: bool) -> pa.Table:
    """Run SHOW [EFFECTIVE] POLICIES from ON on."""
    cursor.expect("ON")
    on, at = _object(ctx, cursor)
    cursor.end()
    with ctx.ledger.lock:
        require_owner(ctx.ledger, ctx.principal, on, at)
        places = list(ancestors(on, at))[: None if is_effective else 1]
        rows = [
            (p.name, p.kind, *(*p.on[1], None, None)[:3], p.comment)
            for kind, key in places
            for p in policies_on(ctx.ledger, kind, key)
        ]
    return introspection.table(
        rows, "Policy Name", "Policy Type", "Catalog", "Schema", "Table", "Comment"
    )


def create_tag(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run CREATE GOVERNED TAG from the tag's key on; its creator may assign it."""
    key = cursor.identifier()
    if cursor.accept("DESCRIPTION"):
        cursor.string()
    values = _values(cursor) if cursor.accept("VALUES") else frozenset()
    cursor.end()
    with ctx.ledger.lock:
        if key in ctx.ledger.governed:
            raise WarehouseError("ALREADY_EXISTS", f"The tag {key} is governed already.", "42710")
        ctx.ledger.governed[key] = GovernedTag(values, frozenset({ctx.principal.name}))
    return EMPTY


def drop_tag(ctx: Context, cursor: Cursor) -> pa.Table:
    """Run DROP GOVERNED TAG from the tag's key on; tags that are set stay, without a policy."""
    key = cursor.identifier()
    cursor.end()
    with ctx.ledger.lock:
        governed = ctx.ledger.governed.get(key)
        if governed is None:
            raise not_found("governed tag", key)
        if not governed.assigners & ctx.principal.identities:
            raise WarehouseError(
                "INSUFFICIENT_PERMISSIONS", f"User does not have MANAGE on tag '{key}'.", "42501"
            )
        del ctx.ledger.governed[key]
    return EMPTY


def _values(cursor: Cursor) -> frozenset[str]:
    return frozenset(Cursor(part).string() for part in split_commas(cursor.parenthesized()))
