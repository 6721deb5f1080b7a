"""Which SQL an assistant may run: one select of gold, with functions that only compute.

Everything is allowed by name: what the parser of a later DuckDB adds is refused until it is listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import duckdb

from export.gold import SCHEMA

MOST_CHARACTERS: Final = 20_000
"""Longest SQL text."""

_TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
# Besides aggregates, window functions and operators. None reads a setting, a file, the environment
# or the catalog, runs SQL that is in a text, waits or changes anything.
_FUNCTIONS: Final = """
    abs ceil ceiling floor round round_even trunc sign sqrt cbrt exp ln log log2 log10 pow power mod
    pi greatest least isnan isinf isfinite fdiv fmod even gcd lcm degrees radians sin cos tan atan2
    add subtract multiply divide

    lower upper lcase ucase length len strlen char_length trim ltrim rtrim left right substr
    substring replace concat concat_ws contains starts_with ends_with prefix suffix position strpos
    instr reverse repeat lpad rpad split string_split str_split split_part string_to_array
    regexp_matches regexp_full_match regexp_extract regexp_extract_all regexp_replace
    regexp_split_to_array format printf ascii chr unicode translate strip_accents levenshtein
    jaccard jaro_winkler_similarity hash md5 like_escape ilike_escape not_like_escape
    not_ilike_escape array_to_string bar

    age century current_date date_add date_diff date_part date_sub date_trunc datediff datepart
    datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms
    epoch_us hour isodow isoyear last_day make_date make_time make_timestamp microsecond millisecond
    minute month monthname now quarter second strftime strptime time_bucket timezone to_days
    to_hours to_microseconds to_milliseconds to_minutes to_months to_seconds to_timestamp to_weeks
    to_years today try_strptime week weekday weekofyear year yearweek

    coalesce if ifnull nullif constant_or_null typeof row struct_pack struct_extract

    array_aggregate array_concat array_contains array_distinct array_extract array_filter array_has
    array_length array_position array_slice array_sort array_transform array_value element_at
    flatten generate_series list_aggregate list_append list_avg list_concat list_contains list_count
    list_distinct list_element list_extract list_filter list_first list_has list_last list_max
    list_median list_min list_position list_reduce list_reverse list_reverse_sort list_slice
    list_sort list_sum list_transform list_unique list_value map map_entries map_extract
    map_from_entries map_keys map_values range unnest
"""
_EXPRESSIONS: Final = """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA LAMBDA_REF
    OPERATOR POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW
"""
# Parts of a query that are no expressions: queries, tables, and what orders and cuts rows.
_PARTS: Final = """
    SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE
    BASE_TABLE EMPTY EXPRESSION_LIST JOIN PIVOT SUBQUERY TABLE_FUNCTION
    DISTINCT_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER ORDER_MODIFIER
    ASCENDING DESCENDING ORDER_DEFAULT
"""
_OPERATOR: Final = re.compile(r"[^a-z0-9_]+", re.ASCII)


class RefusedError(Exception):
    """A query that may not run; the text says why, and what may."""


class Checker:
    """Checks queries of some tables. It has no data, and nothing but the parser reads a query."""

    def __init__(self, tables: Collection[str]) -> None:
        self._tables = frozenset(map(_folded, tables))
        self._parser = duckdb.connect(config={"enable_external_access": "false"})
        self._functions = set(_FUNCTIONS.split()) | {
            name
            for (name,) in self._parser.execute(
                "select function_name from duckdb_functions()"
                " where function_type in ('aggregate', 'window') and function_name ~ '^[a-z]'"
            ).fetchall()
        }
        self._parser.execute("set lock_configuration = true")

    def check(self, sql: str) -> None:
        """Raise RefusedError unless the text is one select of the tables that only computes."""
        if len(sql) > MOST_CHARACTERS:
            raise RefusedError(
                f"the query has {len(sql):,} characters, more than {MOST_CHARACTERS:,}; shorten it"
            )
        try:
            self._visit(self._parsed(sql), frozenset())
        except RecursionError as error:
            raise RefusedError("the query is nested too deeply; shorten its expressions") from error

    def _parsed(self, sql: str) -> Any:
        try:
            statements = self._parser.cursor().execute("select json_serialize_sql(?)", [sql])
            [(text,)] = statements.fetchall()
        except (duckdb.Error, UnicodeError) as error:
            raise RefusedError(f"the query cannot be parsed: {error}") from error
        parsed = json.loads(text)
        if parsed["error"]:
            if parsed["error_type"] == "not implemented":
                raise RefusedError("only a select can run: gold is read only")
            if parsed["error_type"] == "out of memory":
                raise RefusedError("the query needs too much memory to be parsed; shorten it")
            raise RefusedError(f"the query cannot be parsed: {parsed['error_message']}")
        if len(parsed["statements"]) != 1:
            raise RefusedError(f"{len(parsed['statements'])} statements; run one select at a time")
        return parsed["statements"][0]

    def _visit(self, part: Any, names: frozenset[bytes]) -> None:
        """Check a part of a query; `names` are those of the CTEs that it can see."""
        if isinstance(part, list):
            for item in part:
                self._visit(item, names)
        if not isinstance(part, dict):
            return
        self._check_kind(part)
        if part.get("type") == "BASE_TABLE":
            self._check_table(part, names)
        if part.get("type") == "TABLE_FUNCTION":
            self._check_function(part["function"], _TABLE_FUNCTIONS, "a table function")
        if part.get("class") in ("FUNCTION", "WINDOW"):
            self._check_function(part, self._functions, "a function")
        for entry in part.get("cte_map", {}).get("map", []):
            # A CTE sees those before it, and only its recursive part sees itself.
            self._visit(entry["value"], names)
            names |= {_folded(entry["key"])}
        for name, value in part.items():
            if name == "right" and part.get("type") == "RECURSIVE_CTE_NODE":
                self._visit(value, names | {_folded(part["cte_name"])})
            elif name != "cte_map":
                self._visit(value, names)

    def _check_kind(self, part: Mapping[str, Any]) -> None:
        kind = part.get("type")
        if kind == "SHOW_REF":
            raise RefusedError("use list_tables and describe_table instead of show and describe")
        if "class" in part:
            is_known = part["class"] in _EXPRESSIONS.split()
        else:
            # The type of a constant is no text.
            is_known = not isinstance(kind, str) or kind in _PARTS.split()
        if not is_known:
            raise RefusedError(f"{part.get('class', kind)} may not be used in a query")

    def _check_table(self, part: Mapping[str, Any], names: frozenset[bytes]) -> None:
        path = [_folded(name) for name in part["qualified_name"]["path"]]
        stated = [part["catalog_name"], part["schema_name"], part["table_name"]]
        if path == [_folded(name) for name in stated if name]:
            if len(path) == 1 and path[0] in names | self._tables:
                return
            if len(path) == 2 and path[0] == _folded(SCHEMA) and path[1] in self._tables:
                return
        name = ".".join(part["qualified_name"]["path"])
        raise RefusedError(f"{name} is no table that may be read; list_tables names all")

    def _check_function(self, part: Mapping[str, Any], allowed: Collection[str], what: str) -> None:
        path = part["qualified_name"]["path"]
        name = part["function_name"]
        is_allowed = name in allowed or (what == "a function" and _OPERATOR.fullmatch(name))
        if path != [name] or not is_allowed:
            raise RefusedError(f"{'.'.join(path)} is not {what} that may be used")


def _folded(name: str) -> bytes:
    # Only ASCII, as the engine does: Unicode has other letters whose lower case is in ASCII.
    return name.encode("utf-8", "surrogatepass").lower()
