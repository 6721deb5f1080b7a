"""Tests and additivity as sentences for people who do not read yml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_REF: Final = re.compile(r"""(?:ref|source)\((?:['"]\w+['"],\s*)?['"](\w+)['"]\)""")
_VAR: Final = re.compile(r"""\{\{\s*var\(['"](\w+)['"]\)\s*\}\}""")
_SENTENCE: Final = re.compile(r"(?<=[.?!])\s")
_WORD: Final = re.compile(r"\w+")
# Types of numbers; no other is summed.
_NUMBERS: Final = re.compile(
    r"(tinyint|smallint|int|integer|bigint|hugeint|double|float|decimal)\b"
)


@dataclass(frozen=True)
class Words:
    """What one data test says: of single columns, of the table, and which columns are its key."""

    columns: Mapping[str, list[str]]
    table: list[str]
    unique: tuple[str, ...] = ()


def of_test(test: Mapping[str, Any], columns: Iterable[str], variables: Mapping[str, Any]) -> Words:
    """Return what a data test of the manifest says about a table with these columns."""
    if not (metadata := test.get("test_metadata")):
        return Words({}, [_of_name(test)])
    given: dict[str, Any] = metadata["kwargs"]
    column = given.get("column_name") or ""
    match metadata["name"]:
        case "not_null":
            return Words({column: ["never null"]}, [])
        case "unique":
            return Words({column: ["unique"]}, [], unique=(column,))
        case "accepted_values":
            values = given["values"]
            # The manifest has a list that is a var as it is written in the yml.
            if isinstance(values, str) and (var := _VAR.fullmatch(values)):
                values = variables[var[1]]
            return Words({column: [f"one of {_listed(values)}"]}, [])
        case "relationships":
            other = _REF.findall(given["to"])[0]
            return Words({column: [f"always in `{other}.{given['field']}`"]}, [])
        case "unique_key":
            return _unique_key(given["columns"])
        case "row_rules":
            return _row_rules(given, list(columns), variables)
        case name:
            said = f"passes `{name}`"
            return Words({column: [said]}, []) if column else Words({}, [said])


def of_unit_test(test: Mapping[str, Any]) -> str:
    """Return the rule that a unit test of a manifest shows: its name, then its description."""
    return f"{_sentence(test['name'])}. {' '.join(test['description'].split())}"


def _of_name(test: Mapping[str, Any]) -> str:
    """Return the words of a test in SQL: its description, or its name, which is a sentence."""
    text = " ".join(test["description"].split())
    if text:
        return str(text)
    return _sentence(test["name"].removeprefix("assert_"))


def _sentence(name: str) -> str:
    words = name.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}"


def _unique_key(key: Sequence[str]) -> Words:
    if len(key) == 1:
        return Words({key[0]: ["unique"]}, [], unique=tuple(key))
    said = f"unique together: {_listed(key)}"
    others = {name: [f"unique with {_listed(k for k in key if k != name)}"] for name in key}
    return Words(others, [said], unique=tuple(key))


def _row_rules(given: Mapping[str, Any], columns: list[str], variables: Mapping[str, Any]) -> Words:
    said: dict[str, list[str]] = {}
    for name in given.get("not_null", []):
        said.setdefault(name, []).append("never null")
    for name, limits in given.get("between", {}).items():
        lowest, *highest = (_with_values(str(limit), variables) for limit in limits)
        words = f"{lowest} to {highest[0]}" if highest else f"at least {lowest}"
        said.setdefault(name, []).append(words)
    expressions = [
        f"`{_with_values(expression, variables)}`" for expression in given.get("expressions", [])
    ]
    for expression in expressions:
        for name in dict.fromkeys(_WORD.findall(expression)):
            if name in columns:
                said.setdefault(name, []).append(expression)
    return Words(said, expressions)


def _with_values(text: str, variables: Mapping[str, Any]) -> str:
    """Return a text of the manifest, which has vars as they are written, with their values."""
    return _VAR.sub(lambda var: str(variables[var[1]]), text)


def grain(description: str) -> str:
    """Return the first sentence of a description, on one line."""
    return _SENTENCE.split(" ".join(description.split()), maxsplit=1)[0]


def additivity(over: Sequence[str] | None, key: Sequence[str], name: str, type_: str) -> str:
    """Return in words over which rows a column adds up; empty for what is no quantity."""
    is_number = bool(_NUMBERS.match(type_)) and not name.endswith("_id") and name not in key
    if over is None or not is_number:
        return ""
    if not over:
        return "No sum over rows is the shop's number."
    if rest := [column for column in key if column not in over]:
        return f"Adds up over {_listed(over)}, within one value of {_listed(rest)}."
    return "Adds up over all rows."


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(f"`{name}`" for name in names)
