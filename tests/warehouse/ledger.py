"""The state of Unity Catalog, without an engine: objects, owners, grants, tags, policies.

Every read and write of the state holds `Ledger.lock`; a statement's slow part (the engine) runs
outside the lock and publishes its result in one step.
"""

import pickle
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyspark.sql.types import DataType

from workspace.answers import refusal

from .errors import WarehouseError, not_found
from .sql_text import quote

Key = tuple[str, ...]
ACCOUNT_USERS = "account users"

# Privileges of each kind of object.
_READ_WRITE = {"SELECT", "MODIFY"}
_COMMON = {"ALL PRIVILEGES", "MANAGE", "APPLY TAG"}
_SCHEMA_LEVEL = {
    *("USE SCHEMA", "CREATE TABLE", "CREATE VIEW", "CREATE FUNCTION", "CREATE VOLUME", "EXECUTE"),
    *("CREATE MATERIALIZED VIEW", "READ VOLUME", "WRITE VOLUME", "EXTERNAL USE SCHEMA", "REFRESH"),
    *("CREATE MODEL", "BROWSE"),
}
PRIVILEGES: dict[str, set[str]] = {
    "CATALOG": _COMMON | _READ_WRITE | _SCHEMA_LEVEL | {"USE CATALOG", "CREATE SCHEMA"},
    "SCHEMA": (_COMMON | _READ_WRITE | _SCHEMA_LEVEL) - {"BROWSE"},
    "TABLE": _COMMON | _READ_WRITE | {"REFRESH"},
    "FUNCTION": {"ALL PRIVILEGES", "MANAGE", "EXECUTE"},
    "VOLUME": _COMMON | {"READ VOLUME", "WRITE VOLUME"},
    "EXTERNAL LOCATION": {
        *("ALL PRIVILEGES", "MANAGE", "READ FILES", "WRITE FILES", "BROWSE"),
        *("CREATE EXTERNAL TABLE", "CREATE EXTERNAL VOLUME", "CREATE MANAGED STORAGE"),
    },
}


# The parts of the ledger that are not locks or principals.
_OBJECTS = (
    *("catalogs", "schemas", "volumes", "locations", "relations", "functions", "grants", "files"),
    *("policies", "governed"),
)


@dataclass(frozen=True)
class Principal:
    """A user or service principal, and its account groups."""

    name: str
    groups: frozenset[str] = frozenset()

    @property
    def identities(self) -> frozenset[str]:
        """All names whose grants apply to this principal."""
        return self.groups | {self.name, ACCOUNT_USERS}


@dataclass(frozen=True)
class Policy:
    """A mask or a row filter: the function and its column arguments."""

    function: Key
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class AttributePolicy:
    """A row filter or mask for all tables of an object whose columns carry certain tags.

    `on` is the object, (kind, key); `matches` pairs conditions with aliases, of which `column` is
    the one to mask and `using` are the function's other arguments.
    """

    name: str
    on: tuple[str, Key]
    kind: str
    function: Key
    to: tuple[str, ...]
    exempt: tuple[str, ...]
    when: str
    matches: tuple[tuple[str, str], ...]
    column: str
    using: tuple[str, ...]
    comment: str | None
    created_by: str


@dataclass(frozen=True)
class GovernedTag:
    """A tag that policies may match: its allowed values (none: a key alone), who may assign it."""

    values: frozenset[str]
    assigners: frozenset[str]


@dataclass
class Column:
    """A column as the catalog describes it."""

    name: str
    type: DataType
    nullable: bool = True
    comment: str | None = None
    mask: Policy | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def type_text(self) -> str:
        """The type in DDL."""
        return self.type.simpleString()


@dataclass(frozen=True)
class Constraint:
    """A key or a check; keys are informational, as on Databricks."""

    name: str
    kind: str
    columns: tuple[str, ...] = ()
    expression: str = ""
    parent: Key = ()
    parent_columns: tuple[str, ...] = ()
    rely: bool = False


@dataclass
class Relation:
    """A table, view, materialized view or streaming table.

    `folder` has the rows (none for a view), `text` the query of a view, and `context` the catalog
    and schema of its short names.
    """

    key: Key
    kind: str
    owner: str
    columns: list[Column] = field(default_factory=list)
    folder: str = ""
    text: str = ""
    context: tuple[str, str] = ("", "")
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    row_filter: Policy | None = None
    constraints: list[Constraint] = field(default_factory=list)
    cluster_by: tuple[str, ...] = ()
    cluster_auto: bool = False
    partitioned_by: tuple[str, ...] = ()
    schedule: str = ""
    # Operations of its commits, oldest first, as DESCRIBE HISTORY names them.
    history: tuple[str, ...] = ()
    # Folders that a streaming table has read, each once.
    consumed: frozenset[str] = frozenset()
    created: float = field(default_factory=time.time)
    altered: float = field(default_factory=time.time)

    @property
    def is_view(self) -> bool:
        """Whether this is a view, which has no rows."""
        return self.kind == "VIEW"

    def column(self, name: str) -> Column:
        """Return the column of that name; case does not matter."""
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise not_found("column", f"`{name}` of {quote(self.key)}")


@dataclass
class Function:
    """A SQL function of one expression."""

    key: Key
    owner: str
    parameters: tuple[tuple[str, str], ...]
    returns: str
    body: str
    comment: str | None = None


@dataclass
class Container:
    """A catalog, schema, volume or external location."""

    key: Key
    owner: str
    comment: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    kind: str = "MANAGED"


@dataclass
class Ledger:
    """The whole state. Names are lower case; principals keep their case."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    catalogs: dict[Key, Container] = field(default_factory=dict)
    schemas: dict[Key, Container] = field(default_factory=dict)
    volumes: dict[Key, Container] = field(default_factory=dict)
    locations: dict[Key, Container] = field(default_factory=dict)
    relations: dict[Key, Relation] = field(default_factory=dict)
    functions: dict[Key, Function] = field(default_factory=dict)
    grants: dict[tuple[str, Key], set[tuple[str, str]]] = field(default_factory=dict)
    policies: dict[tuple[str, Key, str], AttributePolicy] = field(default_factory=dict)
    # Tags of the account that are governed, by key.
    governed: dict[str, GovernedTag] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    # Files for READ_FILES: folder of a volume -> (Delta folder with its rows, path of its file).
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    # What a workspace answered to the probes, and so does the double.
    answers: Mapping[str, str] = field(default_factory=dict)
    # The version of Databricks Runtime; empty on a SQL warehouse, which has none.
    runtime: str = ""
    _write_locks: dict[Key, threading.RLock] = field(default_factory=dict)

    def refuse(self, probe: str, message: str) -> None:
        """Raise the error that a workspace answered to a probe, unless it accepted that."""
        if error_class := refusal(self.answers[probe]):
            raise WarehouseError(error_class, message, "0A000")

    def save(self) -> bytes:
        """Return all objects and grants, without principals."""
        with self.lock:
            return pickle.dumps({name: getattr(self, name) for name in _OBJECTS})

    def restore(self, saved: bytes, root: Path) -> None:
        """Replace all objects and grants; the tables have moved to another root."""
        with self.lock:
            vars(self).update(pickle.loads(saved))
            for relation in self.relations.values():
                relation.folder = relation.folder and str(root / Path(relation.folder).name)
            for place, (folder, file) in self.files.items():
                self.files[place] = str(root / Path(folder).name), file

    def write_lock(self, key: Key) -> threading.RLock:
        """Return the lock for writers of one table."""
        with self.lock:
            return self._write_locks.setdefault(key, threading.RLock())

    def add_principal(self, principal: Principal) -> None:
        """Add a principal and its groups, or change its groups."""
        with self.lock:
            self.principals[principal.name] = principal
            self.groups |= principal.groups

    def principal(self, name: str) -> Principal:
        """Return a principal; a group that owns an object acts under its own name."""
        with self.lock:
            return self.principals.get(name) or Principal(name, frozenset({name}))

    def require_known(self, name: str) -> None:
        """Raise PRINCIPAL_DOES_NOT_EXIST unless it is a user, service principal or group."""
        with self.lock:
            if name not in self.principals and name not in self.groups and name != ACCOUNT_USERS:
                raise WarehouseError(
                    "PRINCIPAL_DOES_NOT_EXIST",
                    f"Could not find principal with name {name}.",
                    "42704",
                )

    def require_schema(self, key: Key) -> Container:
        """Return the schema of (catalog, schema, ...); the error names the missing part."""
        with self.lock:
            if key[:1] not in self.catalogs:
                raise not_found("catalog", quote(key[:1]))
            if key[:2] not in self.schemas:
                raise not_found("schema", quote(key[:2]))
            return self.schemas[key[:2]]

    def relation(self, key: Key) -> Relation:
        """Return the relation; the error names the missing part."""
        with self.lock:
            if key not in self.relations:
                self.require_schema(key)
                raise not_found("table", quote(key))
            return self.relations[key]

    def function(self, key: Key) -> Function:
        """Return the function; the error names the missing part."""
        with self.lock:
            if key not in self.functions:
                self.require_schema(key)
                raise not_found("function", quote(key))
            return self.functions[key]

    def owner(self, kind: str, key: Key) -> str:
        """Return the owner of an object, which must exist."""
        with self.lock:
            if kind == "TABLE":
                return self.relation(key).owner
            if kind == "FUNCTION":
                return self.function(key).owner
            held = self.containers(kind)
            if key not in held:
                raise not_found(kind.lower(), quote(key))
            return held[key].owner

    def containers(self, kind: str) -> dict[Key, Container]:
        """Return all objects of one kind: CATALOG, SCHEMA, VOLUME or EXTERNAL LOCATION."""
        return {
            "CATALOG": self.catalogs,
            "SCHEMA": self.schemas,
            "VOLUME": self.volumes,
            "EXTERNAL LOCATION": self.locations,
        }[kind]

    def grants_on(self, kind: str, key: Key) -> set[tuple[str, str]]:
        """Return the (principal, privilege) pairs granted on the object itself."""
        with self.lock:
            return set(self.grants.get((kind, key), ()))

    def drop_relation(self, key: Key) -> None:
        """Remove a relation and its grants."""
        with self.lock:
            self.relations.pop(key, None)
            self.grants.pop(("TABLE", key), None)
            self._move_policies("TABLE", key, None)

    def rename_relation(self, old: Key, new: Key) -> None:
        """Rename a relation; grants, tags and policies move with it."""
        with self.lock:
            if new in self.relations:
                raise WarehouseError(
                    "TABLE_OR_VIEW_ALREADY_EXISTS", f"{quote(new)} already exists.", "42P07"
                )
            relation = self.relations.pop(old)
            self.relations[new] = replace(relation, key=new, altered=time.time())
            self.keep_policies("policies_after_a_rename", relation, self.relations[new])
            if held := self.grants.pop(("TABLE", old), None):
                self.grants[("TABLE", new)] = held
            self._move_policies("TABLE", old, new)

    def _move_policies(self, kind: str, key: Key, new: Key | None) -> None:
        """Attach an object's policies to its new name, or drop them."""
        for place in [p for p in self.policies if p[:2] == (kind, key)]:
            policy = self.policies.pop(place)
            if new is not None:
                self.policies[(kind, new, place[2])] = replace(policy, on=(kind, new))

    def keep_policies(self, probe: str, old: Relation, new: Relation) -> None:
        """Give a table the filter and masks that it has by the answer to a probe, and no others."""
        filters, masks = self.answers[probe].split(", ")
        new.row_filter = new.row_filter or old.row_filter if filters == "1" else None
        held = {column.name: column.mask for column in old.columns}
        for column in new.columns:
            column.mask = column.mask or held.get(column.name) if masks == "1" else None

    def drop_schema(self, key: Key) -> None:
        """Remove a schema with all of its objects."""
        with self.lock:
            for kind, held in (
                ("TABLE", self.relations),
                ("FUNCTION", self.functions),
                ("VOLUME", self.volumes),
                ("SCHEMA", self.schemas),
            ):
                for member in [k for k in held if k[:2] == key]:
                    del held[member]
                    self.grants.pop((kind, member), None)
                    self._move_policies(kind, member, None)

    def in_schema(self, key: Key) -> list[Relation]:
        """Return the relations of one schema by name."""
        with self.lock:
            return [r for k, r in sorted(self.relations.items()) if k[:2] == key]


def ancestors(kind: str, key: Key) -> Iterable[tuple[str, Key]]:
    """Return the object and those that contain it, nearest first: privileges are inherited."""
    yield kind, key
    if kind in ("TABLE", "FUNCTION", "VOLUME"):
        yield "SCHEMA", key[:2]
    if kind not in ("CATALOG", "EXTERNAL LOCATION"):
        yield "CATALOG", key[:1]
