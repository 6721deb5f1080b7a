"""Reads the access policy, and expands it to a truth table.

`access_policy.yml` is short enough for an auditor: layers, exceptions, classes of columns. `cells`
applies it to all relations of a dbt manifest, so that the policy and its tests miss no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import yaml

from project.errors import UserError, reason
from project.variables import project_variables
from project.yml import read_yml

POLICY_FILE: Final = Path(__file__).with_name("access_policy.yml")
ALL: Final = "all"

Manifest: TypeAlias = Mapping[str, Any]
Expected: TypeAlias = Literal["refused", "all", "clear", "masked"] | frozenset[str]


@dataclass(frozen=True)
class Persona:
    """A kind of reader: its account groups, and the segments whose users it sees."""

    name: str
    groups: tuple[str, ...]
    segments: Literal["all"] | frozenset[str]


@dataclass(frozen=True)
class RelationException:
    """How a relation differs from its layer: other readers (None: the same), rows by a column."""

    why: str
    readers: frozenset[str] | None
    rows_by: str | None


@dataclass(frozen=True)
class ColumnClass:
    """Columns that some personas see in clear, and every other reader as null."""

    name: str
    columns: frozenset[str]
    clear: frozenset[str]


@dataclass(frozen=True)
class Policy:
    """The whole policy; keys of `exceptions` are 'schema.name', those of `layers` schemas."""

    segments: tuple[str, ...]
    personas: Mapping[str, Persona]
    layers: Mapping[str, frozenset[str]]
    exceptions: Mapping[str, RelationException]
    classes: tuple[ColumnClass, ...]


@dataclass(frozen=True)
class RelationInfo:
    """A table or view; `kind` is `source` or dbt's materialization."""

    schema: str
    name: str
    kind: str
    columns: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """Schema and name, the key of the policy's exceptions."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Cell:
    """What one persona sees of a relation's rows (column None) or of one of its columns.

    Rows: 'refused', 'all', or the only segments whose rows are visible. Columns: 'refused',
    'clear', or 'masked', which is null in every row.
    """

    persona: str
    relation: str
    column: str | None
    expected: Expected


def load(path: Path = POLICY_FILE) -> Policy:
    """Read a policy; UserError names the place of an invalid entry."""
    try:
        content = read_yml(path)
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not a readable policy: {reason(error)}; correct it") from error
    return _Reader(path).policy(content)


class _Reader:
    """Turns the content of one file into a policy, or raises UserError with the place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def policy(self, content: Any) -> Policy:
        root = self._mapping(content, "")
        self._keys(root, "", {"personas", "layers", "exceptions", "columns"})
        segments = tuple(project_variables()["user_segments"])
        personas = {
            name: self._persona(name, entry, f"personas.{name}", segments)
            for name, entry in self._mapping(root["personas"], "personas").items()
        }
        layers = {
            name: self._known(readers, f"layers.{name}", personas)
            for name, readers in self._mapping(root["layers"], "layers").items()
        }
        exceptions = {
            name: self._exception(entry, f"exceptions.{name}", personas)
            for name, entry in self._mapping(root["exceptions"], "exceptions").items()
        }
        classes = tuple(
            self._class(name, entry, f"columns.{name}", personas)
            for name, entry in self._mapping(root["columns"], "columns").items()
        )
        names = [column for one in classes for column in one.columns]
        for name in names:
            if names.count(name) > 1:
                raise self._error("columns", f"{name} is in two classes", "keep one")
        return Policy(segments, personas, layers, exceptions, classes)

    def _persona(self, name: str, entry: Any, place: str, segments: Iterable[str]) -> Persona:
        fields = self._mapping(entry, place)
        self._keys(fields, place, {"groups", "segments"})
        groups = self._names(fields["groups"], f"{place}.groups")
        if fields["segments"] == ALL:
            return Persona(name, groups, "all")
        return Persona(name, groups, self._known(fields["segments"], f"{place}.segments", segments))

    def _exception(self, entry: Any, place: str, personas: Iterable[str]) -> RelationException:
        fields = self._mapping(entry, place)
        self._keys(fields, place, {"why"}, {"readers", "rows_by"})
        if len(fields) == 1:
            raise self._error(place, "changes nothing", "add `readers` or `rows_by`, or remove it")
        readers = fields.get("readers")
        return RelationException(
            why=self._text(fields["why"], f"{place}.why"),
            readers=None if readers is None else self._known(readers, f"{place}.readers", personas),
            rows_by=self._text(fields["rows_by"], f"{place}.rows_by")
            if "rows_by" in fields
            else None,
        )

    def _class(self, name: str, entry: Any, place: str, personas: Iterable[str]) -> ColumnClass:
        fields = self._mapping(entry, place)
        self._keys(fields, place, {"names", "clear"})
        names = self._names(fields["names"], f"{place}.names")
        clear = self._known(fields["clear"], f"{place}.clear", personas)
        return ColumnClass(name, frozenset(names), clear)

    def _known(self, value: Any, place: str, known: Iterable[str]) -> frozenset[str]:
        names = self._names(value, place)
        for name in names:
            if name not in known:
                raise self._error(place, f"{name} is not declared", f"one of {', '.join(known)}")
        return frozenset(names)

    def _names(self, value: Any, place: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._error(place, "is not a list of names", "write [one, two]")
        if len(set(value)) < len(value):
            raise self._error(place, "has a name twice", "keep one")
        return tuple(value)

    def _text(self, value: Any, place: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._error(place, "is empty or not text", "write text")
        return value

    def _mapping(self, value: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self._error(place, "is not a mapping of names", "write `name: ...` lines")
        return value

    def _keys(
        self,
        fields: Mapping[str, Any],
        place: str,
        required: set[str],
        optional: Iterable[str] = (),
    ) -> None:
        for key in fields:
            if key not in required and key not in optional:
                known = ", ".join(sorted({*required, *optional}))
                raise self._error(place, f"unknown key {key}", f"one of {known}")
        for key in sorted(required):
            if key not in fields:
                raise self._error(place, f"{key} is missing", "add it")

    def _error(self, place: str, fault: str, remedy: str) -> UserError:
        where = f"{self._path}: {place}: " if place else f"{self._path}: "
        return UserError(f"{where}{fault}; {remedy}")


def relations(manifest: Manifest) -> list[RelationInfo]:
    """Return the relations that the project builds and its bronze source, by schema and name.

    The project does not grant on sources of another database, the system tables.
    """
    built = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "snapshot", "seed")
        and node["config"]["materialized"] != "ephemeral"
    ]
    databases = {node["database"] for node in built}
    sources = [node for node in manifest["sources"].values() if node["database"] in databases]
    found = [
        *(
            RelationInfo(n["schema"], n["alias"], n["config"]["materialized"], tuple(n["columns"]))
            for n in built
        ),
        *(
            RelationInfo(n["schema"], n["identifier"], "source", tuple(n["columns"]))
            for n in sources
        ),
    ]
    return sorted(found, key=lambda relation: relation.full_name)


def cells(policy: Policy, manifest: Manifest) -> list[Cell]:
    """Return the truth table: for each persona and relation, a cell for rows and for each column.

    Raises UserError for a relation in no layer of the policy, and for an exception or a
    column of the policy that no relation has.
    """
    found = relations(manifest)
    _require_match(policy, found)
    return [
        cell
        for relation in found
        for persona in policy.personas.values()
        for cell in _cells(policy, persona, relation)
    ]


def _require_match(policy: Policy, found: list[RelationInfo]) -> None:
    by_name = {relation.full_name: relation for relation in found}
    for relation in found:
        if relation.schema not in policy.layers:
            raise UserError(
                f"{relation.full_name}: the policy does not cover schema {relation.schema};"
                " add it to `layers`"
            )
    for name, exception in policy.exceptions.items():
        if name not in by_name:
            raise UserError(f"exceptions.{name}: no such relation; correct or remove it")
        if exception.rows_by and exception.rows_by not in by_name[name].columns:
            raise UserError(
                f"exceptions.{name}.rows_by: the relation has no column {exception.rows_by};"
                " name one that it has"
            )
    described = {column for relation in found for column in relation.columns}
    for one in policy.classes:
        for column in sorted(one.columns - described):
            raise UserError(
                f"columns.{one.name}.names: no relation has a column {column}; remove it"
            )


def _cells(policy: Policy, persona: Persona, relation: RelationInfo) -> Iterable[Cell]:
    exception = policy.exceptions.get(relation.full_name)
    readers = policy.layers[relation.schema]
    if exception is not None and exception.readers is not None:
        readers = exception.readers
    may_read = persona.name in readers
    rows: Expected = "refused"
    if may_read:
        rows = persona.segments if exception is not None and exception.rows_by else "all"
    yield Cell(persona.name, relation.full_name, None, rows)
    for column in relation.columns:
        masked = any(
            column in one.columns and persona.name not in one.clear for one in policy.classes
        )
        shown: Expected = "masked" if masked else "clear"
        yield Cell(persona.name, relation.full_name, column, shown if may_read else "refused")
