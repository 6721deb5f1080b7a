"""Policies by tags: which of them match a table, for whom, and the refusals of a conflict.

Follows Databricks' pages CREATE POLICY, "Row filter and column mask policy evaluation and runtime
behavior" and "Governed tags". A condition is has_tag and has_tag_value with AND, OR, NOT.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import WarehouseError
from .ledger import AttributePolicy, Key, Ledger, Policy, Principal, Relation, ancestors
from .sql_text import Cursor, quote

Tags = Mapping[str, str]
_Test = Callable[[Tags], bool]


@dataclass(frozen=True)
class Condition:
    """A condition on tags: its text, the tag keys that it names, its test."""

    text: str
    keys: frozenset[str]
    test: _Test


def read_condition(cursor: Cursor) -> Condition:
    """Read a condition up to the first word that cannot belong to it."""
    first, keys = cursor.at, set[str]()
    test = _either(cursor, keys)
    text = cursor.text[cursor.tokens[first].start : cursor.tokens[cursor.at - 1].end]
    return Condition(text, frozenset(keys), test)


def _either(cursor: Cursor, keys: set[str]) -> _Test:
    tests = [_both(cursor, keys)]
    while cursor.accept("OR"):
        tests.append(_both(cursor, keys))
    return lambda tags: any(test(tags) for test in tests)


def _both(cursor: Cursor, keys: set[str]) -> _Test:
    tests = [_single(cursor, keys)]
    while cursor.accept("AND"):
        tests.append(_single(cursor, keys))
    return lambda tags: all(test(tags) for test in tests)


def _single(cursor: Cursor, keys: set[str]) -> _Test:
    if cursor.accept("NOT"):
        negated = _single(cursor, keys)
        return lambda tags: not negated(tags)
    if cursor.accept("("):
        inner = _either(cursor, keys)
        cursor.expect(")")
        return inner
    if cursor.accept("TRUE"):
        return lambda tags: True
    if cursor.accept("HAS_TAG", "("):
        key = cursor.string()
        cursor.expect(")")
        keys.add(key)
        return lambda tags: key in tags
    cursor.expect("HAS_TAG_VALUE", "(")
    key = cursor.string()
    cursor.expect(",")
    value = cursor.string()
    cursor.expect(")")
    keys.add(key)
    return lambda tags: tags.get(key) == value


def require_governed(ledger: Ledger, condition: Condition) -> None:
    """Raise for a tag that is not governed: at CREATE POLICY, and at a read if it was dropped."""
    for key in sorted(condition.keys):
        if key not in ledger.governed:
            raise WarehouseError(
                "INVALID_PARAMETER_VALUE.UC_INVALID_POLICY_CONDITION",
                f"Invalid policy condition {condition.text}: Unknown tag policy key `{key}`.",
                "22023",
            )


def may_tag(ledger: Ledger, principal: Principal, tags: Tags, *, is_new: bool = True) -> Tags:
    """Return the tags to set or unset; raise for what the policy of a governed one refuses."""
    for key, value in tags.items():
        governed = ledger.governed.get(key)
        if governed is None:
            continue
        if not governed.assigners & principal.identities:
            raise WarehouseError(
                "INSUFFICIENT_PERMISSIONS",
                f"Insufficient privileges: User does not have ASSIGN on governed tag '{key}'.",
                "42501",
            )
        if is_new and value not in (governed.values or {""}):
            raise WarehouseError(
                "INVALID_PARAMETER_VALUE",
                f"Tag value {value} is not an allowed value for tag policy key {key}. Allowed "
                f"values: [{', '.join(sorted(governed.values))}].",
                "22023",
            )
    return tags


def policies_on(ledger: Ledger, kind: str, key: Key) -> list[AttributePolicy]:
    """Return the policies attached to one object, by name."""
    with ledger.lock:
        return [p for (on, at, _), p in sorted(ledger.policies.items()) if (on, at) == (kind, key)]


def effective(
    ledger: Ledger, principal: Principal, relation: Relation
) -> tuple[Policy | None, dict[str, Policy]]:
    """Return the row filter and the masks, by column, that a principal reads a table through.

    Those of the table itself count too. Raises where two of them differ.
    """
    filters: set[Policy] = set()
    masks: dict[str, set[Policy]] = {}
    with ledger.lock:
        for kind, key in ancestors("TABLE", relation.key):
            for policy in policies_on(ledger, kind, key):
                _apply(ledger, principal, relation, policy, filters, masks)
    if len(filters) > 1:
        raise _conflict(relation, "INVALID_PARAMETER_VALUE.UC_ABAC_MULTIPLE_ROW_FILTERS", "42KDJ")
    if filters and relation.row_filter:
        raise _conflict(relation, "INVALID_PARAMETER_VALUE.UC_ABAC_AND_NATIVE_ROW_FILTERS", "42KDJ")
    for column in relation.columns:
        held = masks.setdefault(column.name, set())
        if len(held) > 1 or (held and column.mask):
            raise _conflict(relation, "COLUMN_MASKS_FEATURE_NOT_SUPPORTED.MULTIPLE_MASKS", "0A000")
        if column.mask:
            held.add(column.mask)
    row_filter = next(iter(filters), relation.row_filter)
    return row_filter, {name: next(iter(held)) for name, held in masks.items() if held}


def _apply(
    ledger: Ledger,
    principal: Principal,
    relation: Relation,
    policy: AttributePolicy,
    filters: set[Policy],
    masks: dict[str, set[Policy]],
) -> None:
    """Add the policy to `filters` or `masks` if it applies to the principal and the table."""
    if not principal.identities & set(policy.to) or principal.identities & set(policy.exempt):
        return
    if policy.when and not _holds(ledger, policy.when, relation.tags):
        return
    bound = {
        alias: [c.name for c in relation.columns if _holds(ledger, condition, c.tags)]
        for condition, alias in policy.matches
    }
    if not all(bound.values()):
        return
    for alias in policy.using:
        if len(bound[alias]) > 1:
            raise WarehouseError(
                "INVALID_PARAMETER_VALUE.UC_ABAC_AMBIGUOUS_COLUMN_MATCH",
                f"Using alias {alias} of policy {policy.name} had {len(bound[alias])} matches in "
                f"{quote(relation.key)}, exactly 1 match is allowed.",
                "42KDJ",
            )
    call = Policy(policy.function, tuple(bound[alias][0] for alias in policy.using))
    if policy.kind == "ROW_FILTER":
        filters.add(call)
    else:
        for name in bound[policy.column]:
            masks.setdefault(name, set()).add(call)


def _holds(ledger: Ledger, text: str, tags: Tags) -> bool:
    condition = read_condition(Cursor(text))
    require_governed(ledger, condition)
    return condition.test(tags)


def _conflict(relation: Relation, error_class: str, state: str) -> WarehouseError:
    return WarehouseError(
        error_class,
        f"More than one row filter, or mask of a column, applies to {quote(relation.key)}.",
        state,
    )
