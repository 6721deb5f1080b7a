"""Privileges, and what a reader sees: row filters, masks, views, functions.

A query is rewritten before it runs: each table becomes the Delta folder of its newest version, or
a subquery with its filter and masks for the session's principal; each view becomes its query, read
with its owner's rights; calls of SQL functions are inlined.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .attributes import effective
from .engine import folder_sql
from .errors import TimeTravel, WarehouseError, not_found
from .ledger import Column, Key, Ledger, Policy, Principal, Relation, ancestors
from .sql_text import (
    Token,
    edited,
    matching,
    quote,
    split_commas,
    string_literal,
    table_references,
    tokenize,
)

_MEMBER = {"IS_ACCOUNT_GROUP_MEMBER", "IS_MEMBER"}
_USER = {"CURRENT_USER", "SESSION_USER", "USER"}
# What a session says of itself: its time zone and version.
_SESSION = {"CURRENT_TIMEZONE", "CURRENT_VERSION"}
_PLACE = {"CURRENT_CATALOG": 0, "CURRENT_SCHEMA": 1, "CURRENT_DATABASE": 1}


def holds(ledger: Ledger, principal: Principal, privilege: str, kind: str, key: Key) -> bool:
    """Return whether the principal owns the object or has the privilege on it or above it."""
    with ledger.lock:
        if ledger.owner(kind, key) in principal.identities:
            return True
        for held_kind, held_key in ancestors(kind, key):
            for grantee, granted in ledger.grants_on(held_kind, held_key):
                if grantee in principal.identities and (
                    granted == privilege or (granted == "ALL PRIVILEGES" and privilege != "MANAGE")
                ):
                    return True
    return False


def require(ledger: Ledger, principal: Principal, privilege: str, kind: str, key: Key) -> None:
    """Raise INSUFFICIENT_PERMISSIONS unless the principal has the privilege and those above it.

    An object in a schema also needs USE CATALOG and USE SCHEMA; the message names the first missing
    privilege, from the catalog down.
    """
    needed: list[tuple[str, str, Key]] = []
    if kind in ("SCHEMA", "TABLE", "FUNCTION", "VOLUME"):
        needed.append(("USE CATALOG", "CATALOG", key[:1]))
    if kind in ("TABLE", "FUNCTION", "VOLUME") or (kind == "SCHEMA" and privilege != "USE SCHEMA"):
        needed.append(("USE SCHEMA", "SCHEMA", key[:2]))
    needed.append((privilege, kind, key))
    for one, on, name in needed:
        if not holds(ledger, principal, one, on, name):
            shown = {"TABLE": "Table", "SCHEMA": "Schema", "CATALOG": "Catalog"}.get(on, on.title())
            raise WarehouseError(
                "INSUFFICIENT_PERMISSIONS",
                f"Insufficient privileges: User does not have {one} on {shown} '{'.'.join(name)}'.",
                "42501",
            )


def require_owner(ledger: Ledger, principal: Principal, kind: str, key: Key) -> None:
    """Raise unless the principal owns the object or a container of it, or may MANAGE it."""
    with ledger.lock:
        ledger.owner(kind, key)
        owned = any(ledger.owner(k, n) in principal.identities for k, n in ancestors(kind, key))
        if not owned and not holds(ledger, principal, "MANAGE", kind, key):
            raise WarehouseError(
                "INSUFFICIENT_PERMISSIONS",
                "Insufficient privileges: User is not an owner of and does not have MANAGE on "
                f"{kind.title()} '{'.'.join(key)}'.",
                "42501",
            )


def sees(ledger: Ledger, principal: Principal, kind: str, key: Key) -> bool:
    """Return whether information_schema shows the object: any right on or above it suffices."""
    with ledger.lock:
        return any(
            ledger.owner(k, n) in principal.identities
            or any(g in principal.identities for g, _ in ledger.grants_on(k, n))
            for k, n in ancestors(kind, key)
        )


@dataclass
class TemporaryView:
    """A temporary view: its text, the catalog and schema of its short names, its columns."""

    text: str
    context: tuple[str, str]
    columns: list[Column]


@dataclass
class Reader:
    """Rewrites the queries of one session.

    `introspect` returns the name of a readable copy of an information_schema table, or is None if
    such tables are not allowed. `of_view` returns what reads the rows of a view's rewritten query.
    """

    ledger: Ledger
    principal: Principal
    temporary: Mapping[str, TemporaryView] = field(default_factory=dict)
    introspect: Callable[[Key], str] | None = None
    of_view: Callable[[str], str] = "({})".format
    rewritten: bool = False

    def query(
        self, text: str, context: tuple[str, str], rights: Principal | None = None, depth: int = 0
    ) -> str:
        """Rewrite a query or an expression for the engine.

        `rights` is the principal whose privileges count: that of the session (None) or, inside a
        view, its owner, who does not see the session's temporary views.
        """
        if depth > 60:
            raise WarehouseError("RECURSIVE_VIEW", "Views refer to each other in a circle.")
        text = self.inline_functions(text, context, rights or self.principal)
        edits = []
        try:
            references = table_references(text)
        except TimeTravel as error:
            relation = self.ledger.relation(full_key(error.parts, context))
            if relation.row_filter or any(column.mask for column in relation.columns):
                self.ledger.refuse("time_travel_of_a_protected_table", quote(relation.key))
            raise
        for ref in references:
            if ref.files:
                new, file = self._files(ref.files, rights or self.principal)
                edits += file_paths(text, file)
            else:
                new = self._relation(ref.parts, context, rights, depth)
            alias = "" if ref.has_alias else f" as {quote(ref.parts[-1:])}"
            start = "select * from " if ref.is_table_statement else ""
            edits.append((ref.start, ref.end, start + new + alias))
        return edited(text, edits)

    def _files(self, path: str, rights: Principal) -> tuple[str, str]:
        """Return the replacement of READ_FILES, and the path of its file."""
        parts = path.strip("/").lower().split("/")
        if len(parts) < 4 or parts[0] != "volumes":
            raise WarehouseError("PATH_NOT_FOUND", f"{path} is not a folder of a volume.", "42K03")
        require(self.ledger, rights, "READ VOLUME", "VOLUME", tuple(parts[1:4]))
        with self.ledger.lock:
            if path.rstrip("/") not in self.ledger.files:
                raise WarehouseError(
                    "PATH_NOT_FOUND",
                    f"{path}: no rows have landed there (Warehouse.land).",
                    "42K03",
                )
            folder, file = self.ledger.files[path.rstrip("/")]
        self.rewritten = True
        return folder_sql(folder), file

    def _relation(
        self, parts: Key, context: tuple[str, str], rights: Principal | None, depth: int
    ) -> str:
        if len(parts) == 1 and rights is None and parts[0] in self.temporary:
            view = self.temporary[parts[0]]
            return f"({self.query(view.text, view.context, None, depth + 1)})"
        key = full_key(parts, context)
        if key[1] == "information_schema":
            if self.introspect is None:
                raise not_found("table", quote(key))
            self.rewritten = True
            return self.introspect(key)
        with self.ledger.lock:
            relation = self.ledger.relation(key)
            require(self.ledger, rights or self.principal, "SELECT", "TABLE", key)
        if relation.is_view:
            self.rewritten = True
            owner = self.ledger.principal(relation.owner)
            return self.of_view(self.query(relation.text, relation.context, owner, depth + 1))
        return self.table(relation)

    def table(self, relation: Relation) -> str:
        """Return the replacement of a table for a reader: its rows with filter and masks."""
        folder = folder_sql(relation.folder)
        row_filter, masks = effective(self.ledger, self.principal, relation)
        if not masks and row_filter is None:
            return folder
        self.rewritten = True
        shown = [
            f"cast({self._policy_call(masks[c.name], [c.name])} as {c.type_text})"
            f" as {quote([c.name])}"
            if c.name in masks
            else quote([c.name])
            for c in relation.columns
        ]
        where = ""
        if row_filter is not None:
            where = f" where {self._policy_call(row_filter, [])}"
        return f"(select {', '.join(shown)} from {folder}{where})"

    def _policy_call(self, policy: Policy, leading: list[str]) -> str:
        arguments = ", ".join(quote([c]) for c in (*leading, *policy.columns))
        call = f"{quote(policy.function)}({arguments})"
        context = (policy.function[0], policy.function[1])
        return self.inline_functions(call, context, None)

    def inline_functions(
        self, text: str, context: tuple[str, str], rights: Principal | None, depth: int = 0
    ) -> str:
        """Return the text with calls of SQL functions replaced by their bodies.

        `rights` None: the call is a policy's, and needs no privilege of the reader.
        """
        if depth > 60:
            raise WarehouseError("RECURSIVE_FUNCTION", "Functions call each other in a circle.")
        tokens = tokenize(text)
        # From the last call to the first, so that inner calls are replaced before outer ones.
        at = len(tokens) - 1
        while at >= 0:
            new = self._call(tokens, at, text, context, rights, depth)
            if new is not None:
                start, end, replacement = new
                text = edited(text, [(start, end, replacement)])
                tokens = tokenize(text)
                self.rewritten = True
            at = min(at, len(tokens)) - 1
        return text

    def _call(
        self,
        tokens: Sequence[Token],
        at: int,
        text: str,
        context: tuple[str, str],
        rights: Principal | None,
        depth: int,
    ) -> tuple[int, int, str] | None:
        """Return the replacement of a call that starts at token `at`, if there is one."""
        token = tokens[at]
        if token.kind not in ("word", "quoted") or (at and tokens[at - 1].text == "."):
            return None
        last = at
        while last + 2 < len(tokens) and tokens[last + 1].text == ".":
            last += 2
        opens = last + 1 < len(tokens) and tokens[last + 1].text == "("
        word = token.word if last == at else ""
        if not opens:
            bare = word in ("CURRENT_USER", "SESSION_USER") and not (
                at and tokens[at - 1].word == "AS"
            )
            return (token.start, token.end, string_literal(self.principal.name)) if bare else None
        parts = tuple(tokens[i].name.lower() for i in range(at, last + 1, 2))
        key = full_key(parts, context)
        known = _MEMBER | _USER | _SESSION | _PLACE.keys()
        # Before the arguments are read: the text in brackets can be a whole CTE.
        if len(parts) == 1 and word not in known and key not in self.ledger.functions:
            return None
        close = matching(tokens, last + 1)
        end = tokens[close].end
        arguments = split_commas(text[tokens[last + 1].end : tokens[close].start])
        if word in _MEMBER:
            if len(arguments) != 1 or not re.fullmatch(r"'[^']*'|\"[^\"]*\"", arguments[0]):
                raise WarehouseError(
                    "DATATYPE_MISMATCH", f"{token.text} takes one string literal.", "42K09"
                )
            group = arguments[0][1:-1]
            return token.start, end, str(group in self.principal.groups).lower()
        if word in _USER and not arguments:
            return token.start, end, string_literal(self.principal.name)
        if word == "CURRENT_TIMEZONE" and not arguments:
            return token.start, end, string_literal(self.ledger.answers["session_time_zone"])
        if word == "CURRENT_VERSION" and not arguments:
            versions = self.ledger.runtime, "" if self.ledger.runtime else "2026.40"
            dbr, dbsql = (string_literal(v) if v else "cast(null as string)" for v in versions)
            struct = f"named_struct('dbr_version', {dbr}, 'dbsql_version', {dbsql})"
            return token.start, end, struct
        if word in _PLACE and not arguments:
            return token.start, end, string_literal(context[_PLACE[word]])
        with self.ledger.lock:
            if len(parts) == 1 and key not in self.ledger.functions:
                return None
            if at and tokens[at - 1].word in ("INTO", "AS", "TABLE"):
                return None
            function = self.ledger.function(key)
            if rights is not None:
                require(self.ledger, rights, "EXECUTE", "FUNCTION", key)
        if len(arguments) != len(function.parameters):
            raise WarehouseError(
                "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
                f"{quote(key)} takes {len(function.parameters)} arguments, not {len(arguments)}.",
                "42605",
            )
        body = self.inline_functions(function.body, (key[0], key[1]), rights, depth + 1)
        values = {
            name: f"cast({value} as {kind})"
            for (name, kind), value in zip(function.parameters, arguments, strict=True)
        }
        return token.start, end, f"cast(({with_arguments(body, values)}) as {function.returns})"


def file_paths(text: str, file: str) -> list[tuple[int, int, str]]:
    """Return the edits that replace `_metadata.file_path` by a file's path."""
    tokens = tokenize(text)
    return [
        (a.start, c.end, string_literal(file))
        for a, b, c in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if (a.name.lower(), b.text, c.name.lower()) == ("_metadata", ".", "file_path")
    ]


def with_arguments(body: str, values: Mapping[str, str]) -> str:
    """Return a function's body with its parameters replaced."""
    tokens = tokenize(body)
    edits = []
    for i, token in enumerate(tokens):
        name = token.name.lower() if token.kind in ("word", "quoted") else ""
        qualified = i and tokens[i - 1].text == "."
        called = token.kind == "word" and i + 1 < len(tokens) and tokens[i + 1].text == "("
        if name in values and not qualified and not called:
            edits.append((token.start, token.end, values[name]))
    return edited(body, edits)


def full_key(parts: Key, context: tuple[str, str]) -> Key:
    """Return (catalog, schema, name) for a name of one to three parts."""
    if len(parts) > 3:
        raise not_found("table", quote(parts))
    return (*context[: 3 - len(parts)], *parts)
