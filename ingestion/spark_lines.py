r"""Spark SQL for lines of landed files, by the contract of `csv_records` and `typed_text`.

The expressions read a line and what the driver knows of its file (`LAYOUT`), so that one query
reads files of any layout, and no row leaves the JVM.
"""

from __future__ import annotations

from typing import Final

from ingestion.csv_records import MAX_LINE_BYTES
from ingestion.event_schema import EVENT_COLUMNS, Column
from ingestion.landing_files import Layout
from ingestion.typed_text import DOUBLE, MAX_EXACT, TIME, WHOLE_DECIMAL, ZONE

LINE_SEPARATOR: Final = "\n"
"""By default, Spark ends a line at a CR alone, too."""

_LONGEST_LINE_OPTION: Final = "mapreduce.input.linerecordreader.line.maxlength"
TEXT_OPTIONS: Final = {
    "lineSep": LINE_SEPARATOR,
    # Hadoop drops longer lines, which only files have that the driver has refused.
    _LONGEST_LINE_OPTION: str(MAX_LINE_BYTES + 1),
}

_POSITIONS: Final = {column.name: f"at_{column.name}" for column in EVENT_COLUMNS}
LAYOUT_COLUMNS: Final = (
    "header string",
    "marked_header string",
    "width int",
    "least int",
    "is_ragged boolean",
    *[f"{position} int" for position in _POSITIONS.values()],
    "extra_names array<string>",
    "extra_positions array<int>",
)
LAYOUT: Final = ", ".join(LAYOUT_COLUMNS)
"""The columns of `layout_row`, as Spark declares them."""

# In bytes as the characters U+0000 to U+00FF. A byte that begins no valid sequence is by itself.
_SEQUENCES: Final = "|".join(
    [
        r"[\\x00-\\x7f]+",
        r"[\\xc2-\\xdf][\\x80-\\xbf]",
        r"\\xe0[\\xa0-\\xbf][\\x80-\\xbf]",
        r"\\xed[\\x80-\\x9f][\\x80-\\xbf]",
        r"[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}",
        r"\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}",
        r"[\\xf1-\\xf3][\\x80-\\xbf]{3}",
        r"\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}",
        r"[\\x80-\\xff]",
    ]
)
_BLANKS: Final = r" \t\r\u000b\f"
# No well-formed line has it, so it can stand for a comma within quotes.
_NUL: Final = r"\u0000"


def layout_row(header: str | None, layout: Layout) -> tuple[object, ...]:
    """Return the values of the columns `LAYOUT`; `header` is null without one."""
    positions = {name: position for position, name in enumerate(layout.names)}
    extra = {name: n for name, n in positions.items() if name not in _POSITIONS}
    width = layout.width
    return (
        header,
        header and f"\ufeff{header}",
        width.fields,
        width.least,
        width.is_ragged,
        *[positions.get(name) for name in _POSITIONS],
        list(extra),
        list(extra.values()),
    )


def is_data(line: str) -> str:
    """Return whether a line, without its line end, is neither blank nor the file's header."""
    return (
        f"(ascii({line}) > 32 or trim(both '{_BLANKS}' from {line}) <> '')"
        f" and coalesce({line} not in (header, marked_header), true)"
    )


def without_return(line: str) -> str:
    r"""Return a line without the one CR that may belong to its line end."""
    # By bytes: Spark takes a CR after half of a character for a part of it.
    shorter = f"substring(cast({line} as binary), 1, octet_length({line}) - 1)"
    return rf"if(endswith({line}, '\r'), cast({shorter} as string), {line})"


def fields() -> str:
    """Return the fields of the column `line`, null if it is malformed."""
    return (
        f"case when contains(line, '{_NUL}') or not is_valid_utf8(line) then null"
        f" when contains(line, '\"') then {_quoted_fields()}"
        " else split(line, ',', -1) end"
    )


def fitted() -> str:
    """Return the column `fields`, null if they are too few or too many for the file."""
    beyond = "slice(fields, width + 1, greatest(size(fields) - width, 0))"
    return (
        "case when size(fields) = width then fields"
        " when is_ragged and size(fields) >= least"
        f" and forall({beyond}, field -> field = '') then fields end"
    )


def _quoted_fields() -> str:
    """Return the fields of a line with quotes, null if a quote is misplaced.

    Of the parts between quotes, those at odd positions from 0 are within quotes.
    """
    parts = "split(line, '\"', -1)"
    last = "(length(line) - length(replace(line, '\"', '')))"
    is_misplaced = (
        "n % 2 = 0 and part <> ''"
        " and (n > 0 and not startswith(part, ',')"
        f" or n < {last} and not endswith(part, ','))"
    )
    unquoted = (
        f"case when n % 2 = 1 then replace(part, ',', '{_NUL}')"
        f" when part = '' and n > 0 and n < {last} then '\"' else part end"
    )
    joined = f"array_join(transform({parts}, (part, n) -> {unquoted}), '')"
    return (
        f"case when {last} % 2 = 0 and size(filter({parts}, (part, n) -> {is_misplaced})) = 0"
        f" then transform(split({joined}, ',', -1),"
        f" field -> replace(field, '{_NUL}', ',')) end"
    )


def texts() -> dict[str, str]:
    """Return by event column the text of its field, null if it is empty or missing."""
    return {name: f"nullif(get(fields, {position}), '')" for name, position in _POSITIONS.items()}


def value(column: Column) -> str:
    """Return the value of an event column from its text, null if it does not fit."""
    return _VALUES[column.sql_type].format(text=column.name)


def rescued_data(typed: dict[str, str]) -> str:
    """Return `_rescued_data`: null for a whole row, else a JSON object of what has no column.

    `typed` has by event column that is not text the column with its value.
    """
    misfits = ", ".join(
        f"struct('{name}' as name, if({value} is null, {name}, null) as text)"
        for name, value in typed.items()
    )
    extra = (
        "transform(extra_positions, (position, n) ->"
        " struct(get(extra_names, n) as name, nullif(get(fields, position), '') as text))"
    )
    is_whole = " and ".join(
        [
            *[f"({value} is not null or {name} is null)" for name, value in typed.items()],
            # A function over an array is interpreted, row by row.
            "(size(extra_positions) = 0 or"
            " not exists(extra_positions, position -> coalesce(get(fields, position), '') <> ''))",
        ]
    )
    aside = f"filter(concat(array({misfits}), {extra}), entry -> entry.text is not null)"
    return (
        f"case when fields is null then to_json(named_struct('_line', {_printable()}))"
        f" when not ({is_whole}) then to_json(map_from_entries({aside})) end"
    )


def _printable() -> str:
    r"""Return the column `line` with NUL and non-UTF-8 bytes as `\xNN`."""
    as_characters = "decode(cast(line as binary), 'ISO-8859-1')"
    escaped = (
        "if(length(part) = 1 and ascii(part) >= 128,"
        r" concat('\\x', lower(hex(encode(part, 'ISO-8859-1')))), part)"
    )
    parts = f"regexp_extract_all({as_characters}, '({_SEQUENCES})', 1)"
    text = f"array_join(transform({parts}, part -> {escaped}), '')"
    valid = f"if(is_valid_utf8(line), line, decode(encode({text}, 'ISO-8859-1'), 'UTF-8'))"
    return rf"replace({valid}, '{_NUL}', '\\x00')"


def _matches(pattern: str) -> str:
    # `$` would match before a last CR.
    return rf"{{text}} rlike '^({pattern.replace('{', '{{').replace('}', '}}')})\\z'"


_WHOLE: Final = "try_cast(substring_index({text}, '.', 1) as bigint)"
_LOCAL: Final = "regexp_extract({text}, '^[0-9-]+.[0-9:.]+', 0)"
_HOURS: Final = r"regexp_extract({text}, '([+-][0-9]{{2}})(:?[0-9]{{2}})?\\z', 1)"
_MINUTES: Final = r"regexp_replace({text}, '^.*([+-])[0-9]{{2}}:?([0-9]{{2}})\\z', '$1$2')"
_OFFSET: Final = (
    f"60 * coalesce(try_cast({_HOURS} as int), 0) + coalesce(try_cast({_MINUTES} as int), 0)"
)
_PUBLISHED_TIME: Final = "[12][0-9]{3}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC"

_VALUES: Final = {
    "string": "{text}",
    "bigint": "case when cast(try_cast({text} as bigint) as string) = {text}"
    " then try_cast({text} as bigint)"
    f" when {_matches(WHOLE_DECIMAL)} and {_WHOLE} between -{MAX_EXACT} and {MAX_EXACT}"
    f" then {_WHOLE} end",
    "double": f"case when {_matches(DOUBLE)}"
    " then if(endswith(lower({text}), 'nan'), double('NaN'), cast({text} as double)) end",
    "timestamp": f"case when {_matches(_PUBLISHED_TIME)}"
    " then try_cast(concat(left({text}, 19), 'Z') as timestamp)"
    f" when {_matches(f'{TIME}{ZONE}?')}"
    f" then try_cast(concat({_LOCAL}, 'Z') as timestamp)"
    f" - make_dt_interval(0, 0, {_OFFSET}, 0) end",
}
