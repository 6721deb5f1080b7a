"""What a file is: by its name, and by its first bytes. What is not read gets a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from ingestion.csv_records import BYTE_ORDER_MARK
from ingestion.event_schema import EVENT_COLUMN_NAMES, PUBLISHED_COLUMN_NAMES

HEAD_BYTES: Final = 1 << 16
"""Bytes from the start of a file that identify its content."""

FEWEST_NAMES: Final = 5
"""So many fields with names of event columns are a header."""


class NotReadableError(ValueError):
    """A file is damaged or of another format; the message has the reason and the remedy."""


def damaged(title: str, error: Exception) -> NotReadableError:
    """Return the error for a file of a format that its own library cannot read."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return NotReadableError(f"corrupt or truncated {title}, copy it again: {reason}")


class Format(StrEnum):
    """A format that the loaders read; the value is the end of a file's name."""

    CSV = ".csv"
    GZIP = ".csv.gz"
    ZSTD = ".csv.zst"
    ZIP = ".zip"
    PARQUET = ".parquet"


READABLE: Final = f"{', '.join(list(Format)[:-1])} or {list(Format)[-1]}"

_TITLES: Final = {
    Format.CSV: "text",
    Format.GZIP: "a gzip file",
    Format.ZSTD: "a zstd file",
    Format.ZIP: "a zip archive",
    Format.PARQUET: "a Parquet file",
}
_SIGNATURES: Final = {
    b"\x1f\x8b": Format.GZIP,
    b"\x28\xb5\x2f\xfd": Format.ZSTD,
    # A frame to skip, with which parallel compressors begin a file.
    **{bytes([0x50 + n]) + b"\x2a\x4d\x18": Format.ZSTD for n in range(16)},
    b"PK\x03\x04": Format.ZIP,
    # Without a file, and one of several parts.
    b"PK\x05\x06": Format.ZIP,
    b"PK\x07\x08": Format.ZIP,
    b"PAR1": Format.PARQUET,
}

_BZIP2: Final = "is compressed with bzip2; decompress it: bunzip2"
_XZ: Final = "is compressed with xz; decompress it: unxz"
_LZMA: Final = "is compressed with lzma; decompress it: unlzma"
_LZ4: Final = "is compressed with lz4; decompress it: unlz4"
_COMPRESS: Final = "is compressed with compress; decompress it: uncompress"
_LZIP: Final = "is compressed with lzip; decompress it: lunzip"
_ZLIB: Final = "is compressed with zlib; decompress it"
_SEVEN_ZIP: Final = "is a 7z archive; unpack it: 7z x"
_RAR: Final = "is a RAR archive; unpack it"
_TAR: Final = "is a tar archive; unpack it: tar xf"
_EXPORT: Final = "export the events from it as .csv or .parquet"
_WORKBOOK: Final = "is a spreadsheet; save it as CSV with UTF-8 and commas"
_ORC: Final = f"is an ORC file; {_EXPORT}"
_AVRO: Final = f"is an Avro file; {_EXPORT}"
_ARROW: Final = f"is an Arrow file; {_EXPORT}"
_HDF5: Final = f"is an HDF5 file; {_EXPORT}"
_PICKLE: Final = f"is a Python pickle; {_EXPORT}"
_DATABASE: Final = f"is a database; {_EXPORT}"
_ARRAYS: Final = f"is a file of NumPy or MATLAB; {_EXPORT}"
_RECORDS: Final = f"is a file of binary records; {_EXPORT}"
_REPORT: Final = f"is a report with its data; {_EXPORT}"
_STATISTICS: Final = f"is the file of a statistics program; {_EXPORT}"
_JSON: Final = f"is JSON; {_EXPORT}"
_MARKUP: Final = (
    "is a web page or XML, perhaps an error page in place of the download; download it again"
)
_UTF16: Final = "is UTF-16 text; save it as UTF-8: iconv -f UTF-16 -t UTF-8"
_UTF32: Final = "is UTF-32 text; save it as UTF-8: iconv -f UTF-32 -t UTF-8"

ENCRYPTED_PARQUET: Final = "is an encrypted Parquet file; write it without encryption"
_SEPARATED: Final = "is separated by other characters; write it with commas as .csv"
_PDF: Final = f"is a PDF; {_EXPORT}"
_RICH_TEXT: Final = "is a document (RTF); save it as plain text with commas"
_PGP: Final = "is encrypted; decrypt it: gpg -d"
_AGE: Final = "is encrypted; decrypt it: age -d"
_OPENSSL: Final = "is encrypted; decrypt it: openssl enc -d"
_DOCUMENTS: Final = (_JSON, _MARKUP, _WORKBOOK, _PDF, _RICH_TEXT, _UTF16, _UTF32)

# Offset and bytes.
_FOREIGN_SIGNATURES: Final = (
    (0, b"BZh", _BZIP2),
    (0, b"\xfd7zXZ\0", _XZ),
    (0, b"]\0\0", _LZMA),
    (0, b"\x04\x22\x4d\x18", _LZ4),
    (0, b"\x1f\x9d", _COMPRESS),
    (0, b"LZIP", _LZIP),
    (0, b"\x93NUMPY", _ARRAYS),
    (0, b"7z\xbc\xaf\x27\x1c", _SEVEN_ZIP),
    (0, b"Rar!\x1a\x07", _RAR),
    (257, b"ustar\0", _TAR),
    (257, b"ustar  \0", _TAR),
    (0, b"PARE", ENCRYPTED_PARQUET),
    (0, b"ORC", _ORC),
    (0, b"Obj\x01", _AVRO),
    (0, b"ARROW1", _ARROW),
    (0, b"FEA1", _ARROW),
    (0, b"\x89HDF\r\n\x1a\n", _HDF5),
    (0, b"$FL2", _STATISTICS),
    (0, b"$FL3", _STATISTICS),
    (0, b"SQLite format 3\0", _DATABASE),
    (8, b"DUCK", _DATABASE),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _WORKBOOK),
    (0, b"%PDF", _PDF),
    (0, b"{\\rtf", _RICH_TEXT),
    (0, b"-----BEGIN PGP MESSAGE-----", _PGP),
    (0, b"age-encryption.org/v1", _AGE),
    (0, b"-----BEGIN AGE ENCRYPTED FILE-----", _AGE),
    (0, b"Salted__", _OPENSSL),
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the file; fetch it: git lfs pull"),
    (0, b"/annex/objects/", "is a git-annex pointer, not the file; fetch it: git annex get"),
    (0, b"\xff\xfe\0\0", _UTF32),
    (0, b"\0\0\xfe\xff", _UTF32),
    (0, b"\xff\xfe", _UTF16),
    (0, b"\xfe\xff", _UTF16),
)
_TAG: Final = re.compile(rb"<[a-zA-Z!?]")
# Names in brackets begin otherwise.
_JSON_START: Final = re.compile(rb"\{\s*([\"'}]|$)|\[\s*([\"'{\[\]0-9-]|null|true|false|$)")
_PICKLE_START: Final = re.compile(rb"\x80[\x02-\x05]")
# Office programs write zip archives, whose first member shows whose they are.
_OFFICE: Final = re.compile(
    rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|mimetype|_rels/|docProps/)", re.DOTALL
)

_FOREIGN_SUFFIXES: Final = {
    **dict.fromkeys((".bz2", ".bz"), _BZIP2),
    ".xz": _XZ,
    ".lzma": _LZMA,
    ".lz4": _LZ4,
    ".z": _COMPRESS,
    ".lz": _LZIP,
    **dict.fromkeys((".zlib", ".zz", ".deflate"), _ZLIB),
    ".br": "is compressed with brotli; decompress it: brotli -d",
    ".sz": "is compressed with snappy; decompress it",
    ".snappy": "is compressed with snappy; decompress it",
    ".lzo": "is compressed with lzo; decompress it: lzop -d",
    ".7z": _SEVEN_ZIP,
    ".rar": _RAR,
    **dict.fromkeys((".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst"), _TAR),
    **dict.fromkeys((".tsv", ".tab"), "is separated by tabs; write it with commas as .csv"),
    ".psv": "is separated by `|`; write it with commas as .csv",
    ".ssv": _SEPARATED,
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"), _WORKBOOK),
    **dict.fromkeys((".gsheet", ".fods", ".slk", ".dif"), _WORKBOOK),
    **dict.fromkeys((".json", ".jsonl", ".ndjson", ".geojson"), _JSON),
    ".xml": f"is XML; {_EXPORT}",
    ".orc": _ORC,
    ".avro": _AVRO,
    **dict.fromkeys((".arrow", ".arrows", ".ipc", ".feather"), _ARROW),
    **dict.fromkeys((".h5", ".hdf", ".hdf5"), _HDF5),
    **dict.fromkeys((".pkl", ".pickle"), _PICKLE),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb", ".mdb", ".accdb", ".dbf"), _DATABASE),
    ".sql": f"is a dump of a database; {_EXPORT}",
    **dict.fromkeys((".gpg", ".pgp"), _PGP),
    ".age": _AGE,
    **dict.fromkeys((".enc", ".p7m", ".aes"), "is encrypted; decrypt it"),
    **dict.fromkeys((".npy", ".npz", ".mat"), _ARRAYS),
    **dict.fromkeys((".msgpack", ".bson", ".tfrecord"), _RECORDS),
    **dict.fromkeys((".pbix", ".twbx", ".hyper", ".qvd"), _REPORT),
    **dict.fromkeys(
        (".rds", ".rdata", ".rda", ".dta", ".sas7bdat", ".zsav", ".por", ".xpt"),
        _STATISTICS,
    ),
}
# What other programs keep beside data.
_COMPANIONS: Final = (
    *(".md5", ".sha1", ".sha256", ".sha512", ".crc", ".dvc", ".lnk", ".torrent", ".asc", ".sig"),
    *(".url", ".swp", ".lock", ".md5sum", ".sha1sum", ".sha256sum", ".sha512sum", ".sfv", ".par2"),
    *(".metadata", ".csvt", ".license", ".trashinfo", ".desktop", ".webloc", ":zone.identifier"),
)
# Zip archives that are something else.
_BUNDLES: Final = (
    *(".jar", ".whl", ".egg", ".apk", ".docx", ".pptx", ".odt", ".odp", ".epub", ".kmz", ".wacz"),
)
_ARMOR: Final = ".asc"
_COMPANION_NAMES: Final = ("thumbs.db", "desktop.ini", ".ds_store")
_LOCKS_OF_OFFICE: Final = (".~lock.", "~$")
# As `split` and archivers name the parts of a file.
_PART: Final = re.compile(r"\.(part[-_.]?[0-9]+|part[a-z]{2}|[0-9]{3}|z[0-9]{2}|a[a-z])$")
_UNFINISHED: Final = (
    *(".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".temp", ".aria2"),
    *(".opdownload", ".incomplete", ".unfinished", ".!ut", ".!qb", ".bc!"),
    *(".gstmp", "._copying_", ".inprogress", ".fdmdownload", ".dctmp", ".xltd", ".crswap"),
    *(".uploading", ".downloading"),
)
# Behind the name, while a command of AWS downloads the file. Eight digits alone may be a day.
_RANDOM_END: Final = re.compile("(?=[0-9]*[a-f])[0-9a-f]{8}")
# What follows where the name should end: `a.csv.1`, `a.csv~`, `a.csv (1)`, `a.parquet.bak`.
_INNER_SUFFIX: Final = re.compile(r"\.(csv|parquet|zip)([^a-z].*|$)", re.DOTALL)
# Other spellings of what is read.
_SYNONYMS: Final = {
    ".gz": Format.GZIP,
    ".gzip": Format.GZIP,
    ".zst": Format.ZSTD,
    ".zstd": Format.ZSTD,
    ".zipx": Format.ZIP,
    ".pq": Format.PARQUET,
    ".parq": Format.PARQUET,
}
_SEPARATORS: Final = {";": "`;`", "\t": "tabs", "|": "`|`", "^": "`^`", "\x01": r"`\x01`"}
_SEPARATORS_AND_COMMA: Final = (",", *_SEPARATORS)
_NAMES: Final = re.compile("|".join(sorted(EVENT_COLUMN_NAMES, key=len, reverse=True)))
# How far down a text is searched for a header, and how many lines below it must be rows.
_MOST_LINES_ABOVE: Final = 10
_ROWS_BELOW: Final = 20


def format_by_name(name: str) -> Format | None:
    """Return the readable format that a file's name promises; None for any other name."""
    lower = name.lower()
    # The longest suffix comes first, so that no other one hides it.
    return next((f for f in sorted(Format, key=len, reverse=True) if lower.endswith(f)), None)


def format_by_content(head: bytes) -> Format:
    """Return the format that the first bytes show; bytes without a signature are text."""
    return next((f for start, f in _SIGNATURES.items() if _has(head, start)), Format.CSV)


def problem(name: str, head: bytes) -> str:
    """Return why a file whose stored bytes begin with `head` cannot be read, with the remedy.

    Empty if it can be. A name that promises nothing, such as that of a link's target, does not
    matter. Content that a file holds in compressed form has its own problem: `content_problem`.
    """
    if not head:
        return ""
    if reason := _foreign_content(head):
        return reason
    promised, found = format_by_name(name), format_by_content(head)
    if promised in (None, found):
        return content_problem(head) if found is Format.CSV else ""
    assert promised is not None
    if found is not Format.CSV:
        return f"is {_TITLES[found]}, not {_TITLES[promised]}; {_rename(found)}"
    if separator := other_separator(_first_line(head)):
        return _separated(separator)
    if _is_events_text(head):
        return f"is text, not {_TITLES[promised]}; {_rename(Format.CSV)}"
    return f"is not {_TITLES[promised]}: damaged, or something else under this name; get it again"


def content_problem(head: bytes) -> str:
    """Return why decompressed content that begins with `head` is not CSV, with the remedy."""
    if reason := _foreign_content(head):
        return reason
    if head and not head.strip(b"\0"):
        return "begins with zero bytes only, as an unfinished download does; copy it again"
    found = format_by_content(head)
    if found is not Format.CSV:
        return f"is {_TITLES[found]}; decompress once, then {_rename(found)}"
    separator = other_separator(_first_line(head))
    return _separated(separator) if separator else ""


def unread_reason(name: str, head: bytes) -> str:
    """Return why a file whose name is not that of a readable format is left out, with the remedy.

    Empty if it does not look like data.
    """
    lower = name.lower()
    if _is_companion(lower):
        # `.asc` ends the names of signatures, encrypted files and plain text.
        is_encrypted = _foreign_content(head) in (_PGP, _AGE)
        if not (lower.endswith(_ARMOR) and (is_encrypted or _is_events_text(head))):
            return ""
    if stem := unfinished_stem(name):
        if format_by_name(stem) or unread_reason(stem, head):
            return "looks unfinished; complete it, then rename it so that its name does not say so"
        return ""
    if reason := _foreign_suffix(lower) or _part_reason(lower):
        return reason
    if reason := _foreign_content(head):
        # Pages, notes and settings of any folder are no data.
        is_data = reason not in _DOCUMENTS or _inner_format(lower) is not None
        is_data = is_data or _is_wide_events_text(head, reason)
        return reason if is_data or (reason == _JSON and _is_events_json(head)) else ""
    found = format_by_content(head)
    stem, _, compression = lower.rpartition(".")
    if found in (Format.GZIP, Format.ZSTD) and f".{compression}" in _SYNONYMS:
        inside = _inner_format(stem)
        if inside in (Format.PARQUET, Format.ZIP):
            return f"is {_TITLES[inside]} that is compressed once more; decompress it"
    if found is not Format.CSV:
        return f"is {_TITLES[found]}, but its name does not say so; {_rename(found)}"
    if separator := other_separator(_first_line(head)):
        return _separated(separator)
    if _is_events_text(head):
        return f"holds events, but its name does not say so; {_rename(Format.CSV)}"
    if _is_odd_header(_first_line(head)):
        return _SEPARATED
    if _has_events_below(head):
        return (
            "holds events, but not from its first line on; remove what is above them but for the"
            f" header, and {_rename(Format.CSV)}"
        )
    inner = _inner_format(lower)
    return f"has a name that is not read; {_rename(inner)}" if inner else ""


def unfinished_stem(name: str) -> str:
    """Return a name in lower case without what a download puts behind it; empty if it is whole."""
    stem, dot, end = name.lower().rpartition(".")
    is_random = format_by_name(stem) is not None and _RANDOM_END.fullmatch(end) is not None
    return stem if is_random or f"{dot}{end}" in _UNFINISHED else ""


def mentions_data(name: str) -> bool:
    """Return whether a name says somewhere, not only at its end, that the file is readable data."""
    lower = name.lower()
    is_data = format_by_name(lower) is not None or _inner_format(lower) is not None
    return is_data and not _is_companion(lower)


def partition_reason(folder: str) -> str:
    """Return why files in a folder of this name lack a column, with the remedy; empty if not."""
    column, equals, _ = folder.partition("=")
    if not equals or column.lower() not in EVENT_COLUMN_NAMES:
        return ""
    return f"has the values of {column} in the name of the folder; write them into its files"


def other_separator(line: str) -> str | None:
    """Return the character that separates the fields of an event or a header, None for a comma."""
    by_comma = _event_fields(line.split(","))
    best = max(_SEPARATORS, key=lambda separator: _event_fields(line.split(separator)))
    found = _event_fields(line.split(best))
    return best if found >= FEWEST_NAMES and found > by_comma else None


def separator_of(line: str, fields: int) -> str:
    """Return what the character is called that separates so many fields; empty if none does."""
    return next((n for s, n in _SEPARATORS.items() if line.count(s) >= fields - 1), "")


def _event_fields(fields: Iterable[str]) -> int:
    """Count the names of event columns; a whole event without a header counts as all of them."""
    texts = [field.strip().strip('"').strip().lower() for field in fields]
    if len(texts) == len(PUBLISHED_COLUMN_NAMES) and re.match(r"\d{4}-\d\d-\d\d[ t]", texts[0]):
        return len(PUBLISHED_COLUMN_NAMES)
    return len(set(texts) & set(EVENT_COLUMN_NAMES))


def _is_events_text(head: bytes) -> bool:
    line = _first_line(head)
    return any(_event_fields(line.split(s)) >= FEWEST_NAMES for s in _SEPARATORS_AND_COMMA)


def _is_odd_header(line: str) -> bool:
    """Whether a line has the names of event columns with the same between each two, and no comma.

    `other_separator` knows the usual characters, and `,` alone may be in any text.
    """
    between = [part.strip(' "') for part in _NAMES.split(line.lower())[1:-1]]
    return len(between) >= FEWEST_NAMES - 1 and len(set(between)) == 1 and "," not in between[0]


def _has_events_below(head: bytes) -> bool:
    """Whether a text has a header or an event further down, and rows below that."""
    lines = list(_lines(head))
    if len(head) >= HEAD_BYTES:
        del lines[-1:]
    for position, line in enumerate(lines[: _MOST_LINES_ABOVE + 1]):
        rows = lines[position + 1 :][:_ROWS_BELOW]
        for separator in _SEPARATORS_AND_COMMA:
            is_first = _event_fields(line.split(separator)) >= FEWEST_NAMES
            # Below the example in a manual, there is text.
            if is_first and rows and all(row.count(separator) >= FEWEST_NAMES for row in rows):
                return True
    return False


def _is_events_json(head: bytes) -> bool:
    """Whether JSON has the names of an event's columns as keys."""
    keys = re.findall(rb'"(\w+)"\s*:', head)
    return len({key.decode().lower() for key in keys} & set(EVENT_COLUMN_NAMES)) >= FEWEST_NAMES


def _is_wide_events_text(head: bytes, reason: str) -> bool:
    encodings = {_UTF16: ("utf-16", "utf-16-le", "utf-16-be"), _UTF32: ("utf-32",)}
    texts = (head.decode(encoding, "ignore") for encoding in encodings.get(reason, ()))
    return any(_is_events_text(text.encode()) for text in texts)


def _first_line(head: bytes) -> str:
    return next(_lines(head), "")


def _lines(head: bytes) -> Iterator[str]:
    """Yield the lines that are not blank; LF and CR end a line."""
    text = head.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "replace")
    return (line for line in re.split("[\r\n]", text) if line.strip())


def _foreign_content(head: bytes) -> str:
    for offset, signature, reason in _FOREIGN_SIGNATURES:
        if _has(head, signature, offset):
            return reason
    if _OFFICE.match(head):
        return _WORKBOOK
    if _PICKLE_START.match(head):
        return _PICKLE
    if _is_utf16(head):
        return _UTF16
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if _JSON_START.match(start):
        return _JSON
    return _MARKUP if _TAG.match(start) else ""


def _has(head: bytes, signature: bytes, offset: int = 0) -> bool:
    """Whether bytes have a signature, and not a header whose first name has the same letters."""
    if not head.startswith(signature, offset):
        return False
    is_name = signature.isalnum() and "\0" not in _first_line(head) and _is_events_text(head)
    return not is_name


def _is_utf16(head: bytes) -> bool:
    """Whether text without a byte-order mark has the zero bytes that UTF-16 gives to ASCII."""
    sample = head[: min(len(head), 1024) & ~1]
    halves = sample[::2], sample[1::2]
    return len(sample) >= 8 and any(
        2 * zeros.count(0) > len(zeros) and 0 not in others
        for zeros, others in (halves, halves[::-1])
    )


def _foreign_suffix(lower: str) -> str | None:
    """Return the reason for a suffix of another format, also under one of a compression."""
    stem = re.sub(r"\.(gz|gzip|zst|zstd)$", "", lower)
    if stem.endswith(".tar"):
        return _TAR
    suffix = re.search(r"\.[a-z0-9]+$", stem)
    return _FOREIGN_SUFFIXES.get(suffix[0]) if suffix else None


def _part_reason(lower: str) -> str:
    part = _PART.search(lower)
    if part is None:
        return ""
    stem = lower[: part.start()]
    is_data = (
        part[1].startswith("z")
        or format_by_name(stem)
        or _inner_format(stem)
        or _foreign_suffix(stem)
    )
    return "is one part of a split file; join all parts, and land the whole" if is_data else ""


def _is_companion(lower: str) -> bool:
    return (
        lower in _COMPANION_NAMES
        or lower.endswith((*_COMPANIONS, *_BUNDLES))
        or lower.startswith(_LOCKS_OF_OFFICE)
    )


def _inner_format(lower: str) -> Format | None:
    """Return the readable format that a name mentions, but not as its end."""
    if inner := _INNER_SUFFIX.search(lower):
        return Format(f".{inner[1]}")
    return next((f for suffix, f in _SYNONYMS.items() if lower.endswith(suffix)), None)


def _rename(found: Format) -> str:
    return f"rename it so that it ends in {found.value}"


def _separated(separator: str) -> str:
    return f"is separated by {_SEPARATORS[separator]}; write it with commas"
