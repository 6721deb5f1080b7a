"""Which columns and pages a change of the project reaches, as Markdown for a pull request.

`.venv/bin/python -m dictionary.impact origin/main` compares the checkout with a commit. Both are
parsed, nothing is built. A description counts as a change: what a column means is part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dictionary import build, lineage
from dictionary.entries import Column, Dictionary, Table
from project.errors import UserError, reason
from project.home import CHECKOUT
from project.output import guarded
from project.yml import read_yml

MOST_COLUMNS: Final = 12
"""Columns of one table that the comment names; GitHub refuses a comment of 65,536 characters."""

_OF_TABLE: Final = ("description", "key", "tests")
# Fields of a column, and what the comment calls a change of them.
_FIELDS: Final = {
    "type": "type",
    "comes_from": "sources",
    "adds_up_over": "additivity",
    "is_personal": "personal or not",
    "description": "description",
    "tests": "tests",
}


@dataclass(frozen=True)
class Change:
    """A change of one table."""

    table: str
    what: str
    """`new`, `removed`, `code` where its code changed, else `columns`."""
    columns: Mapping[str, str]
    """How each changed column changed, such as `type, description`, `new` or `removed`."""
    about: Sequence[str] = ()
    """What else changed: `description`, `key`, `tests`."""


@dataclass(frozen=True)
class Impact:
    """Changes and all that they reach."""

    changes: Sequence[Change]
    columns: Mapping[str, Sequence[str]]
    """Reached columns by stored table, without those of the changes themselves."""
    rows: Sequence[str]
    """Tables whose rows can change: a changed column filters or joins them."""
    pages: Sequence[str]
    """Labels of the pages that read a changed or reached table."""


def compare(base: Dictionary, head: Dictionary) -> Impact:
    """Return the changes from one dictionary to another, and what they reach."""
    changes = list(_changes(base, head))
    start = {
        f"{change.table}.{name}"
        for change in changes
        for name in change.columns
        if change.what != "new"
    }
    start |= {f"{change.table}.*" for change in changes if change.what in ("code", "removed")}
    reached = _reached((base, head), start)
    columns: dict[str, list[str]] = {}
    rows = set()
    for step in sorted(reached - start):
        name, _, column = step.partition(".")
        table = head.table(name)
        if table and table.is_stored:
            if column == "*":
                rows.add(name)
            elif table.column(column):
                columns.setdefault(name, []).append(column)
    touched = {*columns, *rows, *(change.table for change in changes)}
    pages = {
        page.label
        for dictionary in (base, head)
        for page in dictionary.pages
        if touched & set(page.tables)
    }
    return Impact(changes, columns, sorted(rows), sorted(pages))


def _changes(base: Dictionary, head: Dictionary) -> Iterator[Change]:
    for new in head.tables:
        old = base.table(new.name)
        if old is None:
            yield Change(new.name, "new", {column.name: "new" for column in new.columns})
            continue
        columns = dict(_changed_columns(old, new))
        about = [name for name in _OF_TABLE if getattr(old, name) != getattr(new, name)]
        if old.sql != new.sql:
            # Which of its columns have other values, the code does not say.
            others = {column.name: "code" for column in new.columns}
            yield Change(new.name, "code", others | columns, about)
        elif columns or about:
            yield Change(new.name, "columns", columns, about)
    for old in base.tables:
        if head.table(old.name) is None:
            removed = {column.name: "removed" for column in old.columns}
            yield Change(old.name, "removed", removed)


def _changed_columns(old: Table, new: Table) -> Iterator[tuple[str, str]]:
    for column in new.columns:
        before = old.column(column.name)
        if how := _difference(before, column) if before else "new":
            yield column.name, how
    for column in old.columns:
        if new.column(column.name) is None:
            yield column.name, "removed"


def _difference(old: Column, new: Column) -> str:
    changed = [
        name for field, name in _FIELDS.items() if getattr(old, field) != getattr(new, field)
    ]
    return ", ".join(changed)


def _reached(dictionaries: Sequence[Dictionary], start: set[str]) -> set[str]:
    """Return all `table.column`, and `table.*` for its rows, that follow from the start."""
    following: dict[str, set[str]] = {}
    for dictionary in dictionaries:
        for source, target in _edges(dictionary):
            following.setdefault(source, set()).add(target)
    reached, pending = set(start), list(start)
    while pending:
        new = following.get(pending.pop(), set()) - reached
        reached |= new
        pending += new
    return reached


def _edges(dictionary: Dictionary) -> Iterator[tuple[str, str]]:
    for table in dictionary.tables:
        for column in table.columns:
            for target in column.feeds:
                yield f"{table.name}.{column.name}", target
            if table.is_stored:
                for source in column.comes_from:
                    yield source, f"{table.name}.{column.name}"
        for source in table.row_sources:
            yield source, f"{table.name}.*"
        if not table.is_stored:
            # The rows of an ephemeral model are read into those of its readers.
            for reader in table.downstream:
                yield f"{table.name}.*", f"{reader}.*"
        elif table.lineage == "table":
            for parent in table.upstream:
                for column in (dictionary.table(parent) or table).columns:
                    for own in table.columns:
                        yield f"{parent}.{column.name}", f"{table.name}.{own.name}"


def to_markdown(impact: Impact, head: Dictionary) -> str:
    """Return the comment."""
    if not impact.changes:
        return "### Columns\n\nNo table, column or description changes.\n"
    count = sum(map(len, impact.columns.values()))
    lines = [
        "### Columns that this change reaches",
        "",
        f"{_number(len(impact.changes), 'table')} changed,"
        f" {_number(count, 'more column')} in {_number(len(impact.columns), 'table')} reached,"
        f" {_number(len(impact.pages), 'page')}.",
        "",
        "| changed | how |",
        "|---|---|",
        *(f"| `{change.table}` | {_how(change)} |" for change in impact.changes),
    ]
    if impact.columns:
        lines += ["", "| reached downstream | columns |", "|---|---|"]
        for table in head.tables:
            if names := impact.columns.get(table.name):
                lines.append(f"| `{table.name}` ({table.layer}) | {_listed(names)} |")
    if impact.rows:
        lines += ["", f"Rows filtered or joined by what changed: {_listed(impact.rows)}."]
    pages = ", ".join(impact.pages) or "none that the project declares"
    lines += ["", f"Pages: {pages}.", ""]
    return "\n".join(lines)


def _how(change: Change) -> str:
    if change.what in ("new", "removed"):
        return f"{change.what}, {_number(len(change.columns), 'column')}"
    parts = []
    if change.what == "code":
        parts.append("its code: every column may have other values")
    parts += [f"its {name}" for name in change.about]
    by_kind: dict[str, list[str]] = {}
    for name, kind in change.columns.items():
        if kind != "code":
            by_kind.setdefault(kind, []).append(name)
    parts += [f"{kind}: {_listed(names)}" for kind, names in sorted(by_kind.items())]
    return "<br>".join(parts)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_COLUMNS} more" if len(names) > MOST_COLUMNS else ""
    return ", ".join(f"`{name}`" for name in names[:MOST_COLUMNS]) + more


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def dictionary_of(checkout: Path) -> Dictionary:
    """Parse the project in a folder and return its dictionary; UserError if dbt refuses it."""
    with TemporaryDirectory() as name:
        command = [
            *(str(Path(sys.executable).with_name("dbt")), "--quiet", "parse", "--target", "local"),
            *("--project-dir", str(checkout), "--profiles-dir", str(checkout)),
            *("--target-path", f"{name}/target", "--log-path", f"{name}/logs"),
        ]
        environment = {**os.environ, "ECOMMERCE_HOME": name}
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise UserError(f"{checkout}: dbt cannot parse it:", *result.stdout.splitlines())
        manifest = json.loads(Path(name, "target", "manifest.json").read_text(encoding="utf-8"))
    project = read_yml(checkout / "dbt_project.yml")
    file = checkout / "dictionary" / lineage.FILE.name
    recorded = lineage.read(file) if file.exists() else {}
    return build.build(manifest, recorded, project["vars"])


def dictionary_at(commit: str) -> Dictionary:
    """Return the dictionary of the project as it is in a commit; UserError if there is none."""
    with TemporaryDirectory() as name:
        folder, index = Path(name, "checkout"), Path(name, "index")
        if _git(index, "read-tree", commit).returncode:
            raise UserError(f"{commit}: is no commit here; fetch it, or name another")
        # Git writes no path that leaves the folder. Links, which could lead out, become text files.
        command = ("-c", "core.symlinks=false", "checkout-index", "--all", f"--prefix={folder}/")
        written = _git(index, *command)
        if written.returncode:
            raise UserError(f"{commit}: git cannot write it to {folder}: {reason(written.stderr)}")
        return dictionary_of(folder)


def _git(index: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git on the repository of the checkout, whose own index stays as it is."""
    environment = {**os.environ, "GIT_INDEX_FILE": str(index)}
    return subprocess.run(
        ["git", *arguments],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _print() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="commit to compare the checkout with, such as origin/main")
    base, head = dictionary_at(parser.parse_args().base), dictionary_of(CHECKOUT)
    sys.stdout.write(to_markdown(compare(base, head), head))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(_print))
