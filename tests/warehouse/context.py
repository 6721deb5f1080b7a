"""The context of a statement: principal, namespace and views of its session, ledger, engine."""

import re
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql.types import DataType

from . import introspection, metadata
from .engine import Engine, folder_sql, reads_files
from .errors import WarehouseError, not_found
from .ledger import Key, Ledger, Policy, Principal, Relation
from .policies import Reader, TemporaryView, full_key
from .sql_text import Cursor, quote

EMPTY = pa.table({})
# Sail plans a statement that reads a long view twice for five seconds, its rows for a hundredth.
_LONG_VIEW = 5000
_VARIES = re.compile(r"\b(now|current_\w+|rand\w*|uuid|shuffle)\b", re.IGNORECASE)


@dataclass
class Context:
    """One session. It runs one statement at a time."""

    ledger: Ledger
    engine: Engine
    principal: Principal
    catalog: str
    schema: str
    temporary: dict[str, TemporaryView] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    route: str = ""
    # The operation of the statement's commit.
    operation: str = "WRITE"
    _introspected: dict[str, pa.Table] = field(default_factory=dict)
    _registered: set[str] = field(default_factory=set)

    @property
    def namespace(self) -> tuple[str, str]:
        """The catalog and schema of short names."""
        return self.catalog, self.schema

    def key(self, parts: list[str]) -> Key:
        """Return (catalog, schema, name) of a name."""
        return full_key(tuple(parts), self.namespace)

    def schema_key(self, parts: list[str]) -> Key:
        """Return (catalog, schema) of a schema's name."""
        if len(parts) > 2:
            raise not_found("schema", quote(parts))
        return (self.catalog, parts[0]) if len(parts) == 1 else tuple(parts)

    def query(self, text: str) -> pa.Table:
        """Return the rows of a query, by this session's rights."""
        sql = self._rewrite(text)
        if self._introspected and not reads_files(sql):
            found = metadata.query(sql, self._introspected)
            if found is not None:
                return found
        self._register()
        return self.engine.query(sql)

    def rewrite(self, text: str) -> str:
        """Rewrite a query or an expression for the engine, by this session's rights."""
        sql = self._rewrite(text)
        self._register()
        return sql

    def _rewrite(self, text: str) -> str:
        reader = Reader(
            self.ledger, self.principal, self.temporary, self._introspect, self._of_view
        )
        new = reader.query(text, self.namespace)
        self.route = self.route or ("rewritten" if reader.rewritten else "engine")
        return new

    def _of_view(self, sql: str) -> str:
        """Return what reads a view: its query, or the rows of a long one, which are kept."""
        if len(sql) < _LONG_VIEW or self._introspected or _VARIES.search(sql):
            return f"({sql})"
        return f"(select * from {folder_sql(self.engine.stored(sql))})"

    def _introspect(self, key: Key) -> str:
        rows = introspection.information_schema(self.ledger, self.principal, key[0], key[2])
        name = f"__rows_{self.engine.number()}"
        self._introspected[name] = rows
        self.route = "introspection"
        return name

    def _register(self) -> None:
        for name in self._introspected.keys() - self._registered:
            self.engine.register(name, self._introspected[name])
            self._registered.add(name)

    def clean_up(self) -> None:
        """Unregister what the statement registered in the engine."""
        self._introspected.clear()
        while self._registered:
            self.engine.unregister(self._registered.pop())

    def types(self, texts: list[str]) -> list[DataType]:
        """Parse types from DDL."""
        return self.engine.types(texts)

    def policy(self, cursor: Cursor, kind: str) -> Key:
        """Read the name of the function of a mask or a filter, which must exist."""
        key = self.key(cursor.name())
        if key not in self.ledger.functions:
            self.ledger.refuse(f"{kind}_of_a_missing_function", f"{quote(key)} is no function.")
        self.ledger.function(key)
        return key

    def check_policies(self, relation: Relation) -> None:
        """Raise unless the masks and filter of a new relation match their columns."""
        held = [(c, c.mask) for c in relation.columns if c.mask]
        if not held and relation.row_filter is None:
            return
        if relation.is_view:
            raise WarehouseError(
                "POLICY_ON_VIEW_NOT_SUPPORTED",
                f"{quote(relation.key)} is a view: row filters and column masks need a table.",
                "0A000",
            )
        if any(constraint.kind == "CHECK" for constraint in relation.constraints):
            which = "COLUMN_MASKS" if held else "ROW_LEVEL_SECURITY"
            raise WarehouseError(
                f"{which}_FEATURE_NOT_SUPPORTED.CHECK_CONSTRAINT",
                f"{quote(relation.key)} has a CHECK constraint, which no policy goes with.",
                "0A000",
            )
        for column, mask in held:
            if column.name in mask.columns:
                self.ledger.refuse("mask_that_uses_its_own_column", f"{column.name} is masked.")
            self._check_policy(
                relation, mask, [column.type, *self._of(relation, mask)], column.type
            )
        if relation.row_filter:
            if len(set(relation.row_filter.columns)) < len(relation.row_filter.columns):
                self.ledger.refuse("filter_of_one_column_twice", "A column is named twice.")
            boolean = self.types(["boolean"])[0]
            self._check_policy(
                relation, relation.row_filter, self._of(relation, relation.row_filter), boolean
            )

    def _of(self, relation: Relation, policy: Policy) -> list[DataType]:
        return [relation.column(name).type for name in policy.columns]

    def _check_policy(
        self, relation: Relation, policy: Policy, arguments: list[DataType], result: DataType
    ) -> None:
        function = self.ledger.function(policy.function)
        if len(function.parameters) != len(arguments):
            kind = "filter" if policy is relation.row_filter else "mask"
            self.ledger.refuse(
                f"{kind}_with_too_few_columns",
                f"{quote(policy.function)} takes {len(function.parameters)} arguments, not "
                f"{len(arguments)}.",
            )
        wanted = self.types([kind for _, kind in function.parameters] + [function.returns])
        if wanted != [*arguments, result]:
            shown = ", ".join(kind.simpleString() for kind in wanted[:-1])
            given = ", ".join(kind.simpleString() for kind in arguments)
            raise WarehouseError(
                "INVALID_POLICY_FUNCTION",
                f"{quote(policy.function)}({shown}) returns {wanted[-1].simpleString()} does not "
                f"fit {quote(relation.key)}: ({given}) returns {result.simpleString()} is needed.",
                "42K09",
            )
