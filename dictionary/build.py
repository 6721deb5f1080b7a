"""Makes the dictionary from dbt's manifest, its catalog where there is one, and the lineage."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from dictionary import words
from dictionary.entries import Column, Coverage, Dictionary, Page, Table
from dictionary.lineage import ModelLineage, Sources

_LAYERS: Final = ("gold", "silver", "snapshot", "intermediate", "bronze")
_COMMENT: Final = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
_NO_CODE: Final = "dbt writes it, to mark the period of a version"
_ROWS: Final = "It counts rows or is the same in each: no single column is read for it."
_STALE: Final = "Its sources are not recorded: `make lineage` reads them from the SQL."

Json = Mapping[str, Any]


def build(
    manifest: Json,
    lineage: Mapping[str, ModelLineage],
    variables: Json,
    catalog: Json | None = None,
    rows: Mapping[str, int] | None = None,
) -> Dictionary:
    """Return the dictionary of a project.

    `variables` are those of `dbt_project.yml`, which tests name. The catalog names the columns of
    tables that hold rows of another; without it the lineage does. `rows` has numbers of rows by
    `schema.table`.
    """
    return _Project(manifest, lineage, variables, catalog, rows or {}).dictionary()


class _Project:
    def __init__(
        self,
        manifest: Json,
        lineage: Mapping[str, ModelLineage],
        variables: Json,
        catalog: Json | None,
        rows: Mapping[str, int],
    ) -> None:
        self._manifest = manifest
        self._lineage = lineage
        self._variables = variables
        self._catalog = catalog or {"nodes": {}, "sources": {}}
        self._rows = rows
        models = (
            node
            for node in manifest["nodes"].values()
            if node["resource_type"] in ("model", "snapshot", "seed")
        )
        # A disabled node is not in `nodes`; a name is unique among all of these.
        self._nodes: dict[str, Json] = {
            node["name"]: node for node in (*models, *manifest["sources"].values())
        }
        self._names = {node["unique_id"]: name for name, node in self._nodes.items()}

    def dictionary(self) -> Dictionary:
        """Return the dictionary."""
        tables = sorted(map(self._table, self._nodes.values()), key=_order)
        return Dictionary(
            project=self._manifest["metadata"]["project_name"],
            coverage=_coverage(tables),
            tables=tables,
            pages=self._pages,
        )

    def _table(self, node: Json) -> Table:
        name = node["name"]
        columns = self._columns(node)
        tests = [words.of_test(test, columns, self._variables) for test in self._tests[name]]
        key = _key(node, tests)
        lineage, note = self._table_lineage(node)
        description = node["description"].strip()
        return Table(
            name=name,
            layer=_layer(node),
            schema=node["schema"],
            kind=_kind(node),
            is_stored=_is_stored(node),
            grain=words.grain(description),
            description=description,
            key=key,
            row_of=_row_of(node),
            owner=self._group_owner(node),
            rows=self._rows.get(f"{node['schema']}.{name}"),
            tests=sorted({text for test in tests for text in test.table}),
            rules=self._rules[name],
            upstream=sorted(self._stored_parents(name)),
            downstream=sorted(self._children.get(name, ())),
            row_sources=sorted(self._stored_rows(name)),
            pages=sorted(page.name for page in self._pages if name in page.tables),
            lineage=lineage,
            lineage_note=note,
            sql=self._digest(node),
            columns=[self._column(node, column, key, tests) for column in columns.values()],
        )

    def _group_owner(self, node: Json) -> str:
        if name := node.get("group") or node["config"].get("group"):
            for group in self._manifest["groups"].values():
                if group["name"] == name:
                    return _owner(group["owner"])
        return ""

    def _columns(self, node: Json) -> dict[str, Json]:
        """Return the described columns of a table by name, in its order."""
        own: dict[str, Json] = dict(node["columns"])
        if not (row_of := _row_of(node)):
            return own
        of_row = self._columns(self._nodes[row_of])
        names = self._known_names(node) or [*of_row, *own]
        found = {name: own.get(name) or of_row.get(name) for name in names}
        return {name: column for name, column in found.items() if column}

    def _known_names(self, node: Json) -> list[str]:
        if table := self._catalog["nodes"].get(node["unique_id"]):
            return [str(name) for name in table["columns"]]
        lineage = self._lineage.get(node["name"])
        return list(lineage.names) if lineage else []

    def _column(self, node: Json, column: Json, key: list[str], tests: list[words.Words]) -> Column:
        table, name = str(node["name"]), str(column["name"])
        meta = column["config"].get("meta", {})
        type_ = (column.get("data_type") or "").lower()
        # A constraint and a test may say the same.
        said = ["never null" for c in column["constraints"] if c["type"] == "not_null"]
        said += [text for test in tests for text in test.columns.get(name, [])]
        how, note = self._how(node, name)
        adds_up_over = meta.get("adds_up_over")
        return Column(
            name=name,
            type=type_,
            description=column["description"].strip(),
            is_personal=_is_personal(column),
            adds_up_over=adds_up_over,
            additivity=words.additivity(adds_up_over, key, name, type_),
            tests=list(dict.fromkeys(said)),
            lineage=how,
            lineage_note=note,
            is_copy=self._is_copy(table, name),
            comes_from=sorted(self._stored_sources(table, name)),
            feeds=sorted(self._feeds.get(f"{table}.{name}", ())),
        )

    # Lineage of tables.

    @cached_property
    def _children(self) -> dict[str, set[str]]:
        stored = (name for name, node in self._nodes.items() if _is_stored(node))
        return _inverted((name, self._ancestors(name)) for name in stored)

    def _parents(self, name: str) -> list[str]:
        on = self._nodes[name].get("depends_on", {}).get("nodes", [])
        return [self._names[parent] for parent in on if parent in self._names]

    def _ancestors(self, name: str) -> set[str]:
        """Return the parents up to stored tables, with the ephemeral models between."""
        found: set[str] = set()
        for parent in self._parents(name):
            found.add(parent)
            if not _is_stored(self._nodes[parent]):
                found |= self._ancestors(parent)
        return found

    def _stored_parents(self, name: str) -> set[str]:
        return {parent for parent in self._ancestors(name) if _is_stored(self._nodes[parent])}

    def _table_lineage(self, node: Json) -> tuple[str, str]:
        lineage = self._lineage.get(node["name"])
        if node["resource_type"] == "source" or (lineage and lineage.columns is not None):
            return "columns", ""
        if node.get("language") == "python":
            return "table", "It is Python, from which no column's sources can be read."
        return "table", _STALE

    # Lineage of columns.

    def _read(self, table: str, column: str) -> Sources | None:
        """Return what was read from the SQL of a column; None where nothing was."""
        model = self._lineage.get(table)
        return model.columns.get(column) if model and model.columns else None

    def _sources(self, table: str, column: str) -> tuple[str, ...]:
        found = self._read(table, column)
        row_of = _row_of(self._nodes[table])
        if not (found and found.columns) and row_of and column in self._nodes[row_of]["columns"]:
            # It reads the stored rows of a table that is built later, which dbt does not know.
            return () if column in self._nodes[table]["columns"] else (f"{row_of}.{column}",)
        known = found.columns if found else ()
        return tuple(source for source in known if source.partition(".")[0] in self._nodes)

    def _is_of_rows(self, table: str, column: str) -> bool:
        """Return whether the SQL reads no column for it, as for `count(*)`."""
        if self._nodes[table]["resource_type"] == "snapshot" or self._sources(table, column):
            return False
        found = self._read(table, column)
        return found is not None and not found.columns

    def _is_copy(self, table: str, column: str) -> bool:
        """Return whether all steps to the stored column copy it."""
        found = self._read(table, column)
        if not found or not found.columns:
            return bool(self._sources(table, column))
        if not found.is_copy or len(found.columns) != 1:
            return False
        parent, _, name = found.columns[0].partition(".")
        return _is_stored(self._nodes.get(parent, {})) or self._is_copy(parent, name)

    def _steps(self, table: str, column: str) -> set[str]:
        """Return the sources down to stored tables, with the ephemeral columns between."""
        if self._is_of_rows(table, column):
            return {f"{parent}.*" for parent in self._stored_parents(table)}
        found: set[str] = set()
        for source in self._sources(table, column):
            parent, _, name = source.partition(".")
            found.add(source)
            if not _is_stored(self._nodes[parent]):
                found |= self._steps(parent, name)
        return found

    def _stored_sources(self, table: str, column: str) -> set[str]:
        steps = self._steps(table, column)
        return {step for step in steps if _is_stored(self._nodes[step.partition(".")[0]])}

    def _stored_rows(self, table: str) -> set[str]:
        lineage = self._lineage.get(table)
        found: set[str] = set()
        for source in lineage.rows if lineage else ():
            parent, _, name = source.partition(".")
            if node := self._nodes.get(parent):
                found |= {source} if _is_stored(node) else self._stored_sources(parent, name)
        # What decides the rows of an ephemeral model decides those of its reader.
        for parent in self._parents(table):
            if not _is_stored(self._nodes[parent]):
                found |= self._stored_rows(parent)
        return found

    @cached_property
    def _feeds(self) -> dict[str, set[str]]:
        return _inverted(
            (f"{name}.{column}", self._steps(name, column))
            for name, node in self._nodes.items()
            if _is_stored(node)
            for column in self._columns(node)
        )

    def _how(self, node: Json, column: str) -> tuple[str, str]:
        """Return how the sources of a column are known, and a note."""
        table = node["name"]
        if node["resource_type"] == "source":
            return "source", ""
        how, note = self._table_lineage(node)
        if how == "table":
            return how, note
        found = self._read(table, column)
        if self._sources(table, column):
            if found and found.columns:
                return "columns", ""
            return "declared", f"The table holds rows of `{_row_of(node)}`, as its yml says."
        if node["resource_type"] == "snapshot":
            return "dbt", _NO_CODE
        return ("rows", _ROWS) if found and not found.columns else ("table", _STALE)

    # Tests, pages, code.

    @cached_property
    def _tests(self) -> dict[str, list[Json]]:
        """Data tests by table; one of several tables is among those of each."""
        tests: dict[str, list[Json]] = {name: [] for name in self._nodes}
        for node in self._manifest["nodes"].values():
            if node["resource_type"] == "test":
                attached = node.get("attached_node")
                of = [attached] if attached else node["depends_on"]["nodes"]
                for unique_id in of:
                    if unique_id in self._names:
                        tests[self._names[unique_id]].append(node)
        return {name: sorted(found, key=lambda t: str(t["name"])) for name, found in tests.items()}

    @cached_property
    def _rules(self) -> dict[str, list[str]]:
        rules: dict[str, list[str]] = {name: [] for name in self._nodes}
        for test in self._manifest["unit_tests"].values():
            if test["model"] in rules and test["description"]:
                rules[test["model"]].append(words.of_unit_test(test))
        return {name: sorted(found) for name, found in rules.items()}

    @cached_property
    def _pages(self) -> list[Page]:
        return [self._page(exposure) for _, exposure in sorted(self._manifest["exposures"].items())]

    def _page(self, exposure: Json) -> Page:
        return Page(
            name=exposure["name"],
            label=exposure["label"] or exposure["name"],
            kind=exposure["type"],
            url=exposure["url"] or "",
            description=exposure["description"].strip(),
            owner=_owner(exposure["owner"]),
            tables=sorted(self._stored_behind(exposure["depends_on"]["nodes"])),
        )

    def _stored_behind(self, unique_ids: Iterable[str]) -> set[str]:
        """Return the stored tables that an exposure reads, also those of its metrics."""
        found: set[str] = set()
        for unique_id in unique_ids:
            if name := self._names.get(unique_id):
                is_stored = _is_stored(self._nodes[name])
                found |= {name} if is_stored else self._stored_parents(name)
            else:
                definitions = self._manifest["metrics"] | self._manifest["semantic_models"]
                behind = definitions.get(unique_id, {}).get("depends_on", {}).get("nodes", [])
                found |= self._stored_behind(behind)
        return found

    def _digest(self, node: Json) -> str:
        """Return a digest of the code of a node and of the project's macros in it."""
        parts = [node.get("raw_code") or ""]
        pending, seen = list(node.get("depends_on", {}).get("macros", [])), set[str]()
        while pending:
            unique_id = pending.pop()
            macro = self._manifest["macros"].get(unique_id)
            if unique_id in seen or not macro or macro["package_name"] != node["package_name"]:
                continue
            seen.add(unique_id)
            pending += macro["depends_on"]["macros"]
        parts += [self._manifest["macros"][unique_id]["macro_sql"] for unique_id in sorted(seen)]
        code = "\0".join(" ".join(_COMMENT.sub(" ", part).split()) for part in parts)
        return hashlib.sha256(code.encode()).hexdigest()[:12]


def _inverted(edges: Iterable[tuple[str, Collection[str]]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for target, sources in edges:
        for source in sources:
            found.setdefault(source, set()).add(target)
    return found


def _is_stored(node: Json) -> bool:
    return bool(node) and _kind(node) != "ephemeral"


def _kind(node: Json) -> str:
    if node["resource_type"] in ("source", "seed", "snapshot"):
        return str(node["resource_type"])
    return str(node["config"]["materialized"])


def _layer(node: Json) -> str:
    if node["resource_type"] == "snapshot":
        return "snapshot"
    return str(node["schema"]).removesuffix("_layer")


def _order(table: Table) -> tuple[int, str, str]:
    known = table.layer in _LAYERS
    return _LAYERS.index(table.layer) if known else len(_LAYERS), table.layer, table.name


def _row_of(node: Json) -> str | None:
    row_of = node["config"].get("meta", {}).get("row_of")
    return str(row_of) if row_of else None


def _is_personal(column: Json) -> bool:
    return bool(column.get("column_mask")) or "personal" in (column.get("databricks_tags") or {})


def _owner(owner: Json) -> str:
    return owner.get("name") or owner.get("email") or ""


def _key(node: Json, tests: list[words.Words]) -> list[str]:
    """Return the primary key, else the widest columns that a test calls unique."""
    for constraint in node.get("constraints", []):
        if constraint["type"] == "primary_key":
            return list(constraint["columns"])
    unique = sorted((test.unique for test in tests), key=lambda key: -len(key))
    return list(unique[0]) if unique else []


def _coverage(tables: list[Table]) -> Coverage:
    """Count the columns of stored tables; those of landed files have nowhere to come from."""
    counted = [table for table in tables if table.is_stored and table.kind != "source"]

    def columns(layer: str | None = None) -> Iterator[Column]:
        for table in counted:
            if layer in (None, table.layer):
                yield from table.columns

    def known(*kinds: str, layer: str | None = None) -> int:
        return sum(column.lineage in kinds for column in columns(layer))

    return Coverage(
        columns=sum(1 for _ in columns()),
        with_sources=known("columns", "declared"),
        of_rows=known("rows"),
        gold_columns=sum(1 for _ in columns("gold")),
        gold_with_sources=known("columns", "declared", layer="gold"),
        gold_of_rows=known("rows", layer="gold"),
        tables_without=[table.name for table in counted if table.lineage == "table"],
    )
