"""Reads SQL text token by token: names, clauses, and the tables that a query refers to.

The double never prints a statement from a syntax tree: it runs the text that was sent, with single
names replaced.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .errors import TimeTravel, syntax_error

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<string>[rR]?'(?:[^'\\]|\\.|'')*'|[rR]?"(?:[^"\\]|\\.|"")*")
    |(?P<quoted>`(?:[^`]|``)*`)
    |(?P<number>\d+\.\d*(?:[eE][+-]?\d+)?[a-zA-Z]*|\.\d+(?:[eE][+-]?\d+)?[a-zA-Z]*
        |\d+[eE][+-]?\d+|\d\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<symbol><=>|<>|!=|==|<=|>=|\|\||::|=>|->|\$\$|[^\w\s])""",
    re.VERBOSE | re.DOTALL,
)
_LEADING = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}
_OPEN, _CLOSE = "([{", ")]}"
QUERY_WORDS = {"SELECT", "WITH", "VALUES", "TABLE", "FROM"}
# Words that end a FROM clause, or follow a relation without being its alias.
_FROM_ENDS = {
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "UNION",
    "EXCEPT",
    "MINUS",
} | {*("INTERSECT", "WINDOW", "QUALIFY", "SORT", "CLUSTER", "DISTRIBUTE", "SELECT", "SET", "WHEN")}
_NO_ALIAS = _FROM_ENDS | {
    *("ON", "USING", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ANTI", "SEMI"),
    *("LATERAL", "PIVOT", "UNPIVOT", "TABLESAMPLE", "THEN", "AND", "OR", "FOR", "VERSION"),
    *("TIMESTAMP", "OUTER"),
}


class Token(NamedTuple):
    """One token, `text[start:end]`; `kind` is word, quoted, string, number or symbol."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The upper-case word, or '' if it cannot be a keyword."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The identifier, without backticks."""
        return self.text[1:-1].replace("``", "`") if self.kind == "quoted" else self.text


@lru_cache(maxsize=1024)
def tokenize(text: str) -> tuple[Token, ...]:
    """Return the tokens of `text` without spaces and comments."""
    tokens, at = [], 0
    for match in _TOKEN.finditer(text):
        kind, (start, end) = match.lastgroup, match.span()
        if kind is None or start != at:
            raise syntax_error(text[at : at + 20])
        if kind != "space":
            if kind == "symbol" and match[0] in "'\"`":
                raise syntax_error(text[at : at + 20], "text that is not closed")
            tokens.append(Token(kind, match[0], start, end))
        at = end
    if at < len(text):
        raise syntax_error(text[at : at + 20])
    return tuple(tokens)


def unquote_string(literal: str) -> str:
    """Return the value of a string literal, by Spark's rules."""
    raw = literal[0] in "rR"
    quote, inner = literal[raw], literal[raw + 1 : -1]
    if raw:
        return inner
    inner = inner.replace(quote * 2, quote)
    return re.sub(
        r"\\(.)",
        lambda m: m[0] if m[1] in "%_" else _ESCAPES.get(m[1], m[1]),
        inner,
        flags=re.DOTALL,
    )


def string_literal(value: str) -> str:
    """Return `value` as a string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote(parts: Iterable[str]) -> str:
    """Return a qualified name in backticks."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def without_comments(text: str) -> str:
    """Return the statement without leading comments and trailing semicolons, spaces, comments."""
    # Clients begin statements with a comment; without it the tokens are those that a cursor needs.
    text = _LEADING.sub("", text, count=1).rstrip()
    tokens = list(tokenize(text))
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    return text[tokens[0].start : tokens[-1].end] if tokens else ""


def edited(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """Return `text` with the pieces [start, end) replaced; the pieces must not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


class Cursor:
    """Reads a statement from left to right; unexpected text raises a syntax error."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokenize(text))
        self.at = 0

    @property
    def token(self) -> Token | None:
        """The next token; None at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def fail(self, why: str = "") -> Exception:
        """Return a syntax error at the current place."""
        return syntax_error(self.token.text if self.token else "", why)

    def peek(self, *words: str) -> bool:
        """Return whether the next tokens are these words or symbols."""
        ahead = self.tokens[self.at : self.at + len(words)]
        return len(ahead) == len(words) and all(
            w == (t.word or (t.text if t.kind == "symbol" else ""))
            for w, t in zip(words, ahead, strict=True)
        )

    def accept(self, *words: str) -> bool:
        """Skip these words or symbols if they come next."""
        if found := self.peek(*words):
            self.at += len(words)
        return found

    def accept_any(self, *words: str) -> str:
        """Skip one of the words and return it, or '' if none comes next."""
        for word in words:
            if self.accept(word):
                return word
        return ""

    def expect(self, *words: str) -> None:
        """Skip these words or symbols, which must come next."""
        if not self.accept(*words):
            raise self.fail(f"expected {' '.join(words)}")

    def end(self) -> None:
        """Raise if anything except semicolons is left."""
        while self.accept(";"):
            pass
        if self.token is not None:
            raise self.fail("expected the end of the statement")

    def identifier(self) -> str:
        """Read one identifier; a constraint's name may begin with a digit."""
        token = self.token
        if token is None or token.kind not in ("word", "quoted", "number"):
            raise self.fail("expected a name")
        self.at += 1
        return token.name

    def name(self) -> list[str]:
        """Read a dotted name, in lower case as in Unity Catalog."""
        parts = [self.identifier().lower()]
        while self.accept("."):
            parts.append(self.identifier().lower())
        return parts

    def string(self) -> str:
        """Read a string literal; adjacent literals are one."""
        token = self.token
        if token is None or token.kind != "string":
            raise self.fail("expected a string")
        value = ""
        while self.token is not None and self.token.kind == "string":
            value += unquote_string(self.token.text)
            self.at += 1
        return value

    def parenthesized(self) -> str:
        """Read (...) and return the text between the parentheses."""
        if not self.peek("("):
            raise self.fail("expected (")
        close = matching(self.tokens, self.at)
        inner = self.text[self.tokens[self.at].end : self.tokens[close].start]
        self.at = close + 1
        return inner

    def identifiers(self) -> list[str]:
        """Read (a, `b`, c)."""
        return [Cursor(part).identifier() for part in split_commas(self.parenthesized())]

    def pairs(self) -> dict[str, str]:
        """Read ('key' = 'value', ...); keys may be dotted words, values any literal."""
        found: dict[str, str] = {}
        for part in split_commas(self.parenthesized()):
            inner = Cursor(part)
            token = inner.token
            key = inner.string() if token and token.kind == "string" else ".".join(inner.name())
            inner.accept("=")
            if inner.token is None:
                found[key] = ""
                continue
            value = inner.token
            found[key] = inner.string() if value.kind == "string" else value.text
            inner.at += value.kind != "string"
            inner.end()
        return found

    def until(self, *words: str) -> str:
        """Read up to one of the words at this depth, or to the end; return the text."""
        first = self.at
        while self.token is not None and self.token.word not in words:
            if self.token.kind == "symbol" and self.token.text in _OPEN:
                self.at = matching(self.tokens, self.at)
            self.at += 1
        if first == self.at:
            return ""
        return self.text[self.tokens[first].start : self.tokens[self.at - 1].end]

    def rest(self) -> str:
        """Read to the end of the statement (without semicolons)."""
        while self.tokens and self.tokens[-1].text == ";":
            self.tokens.pop()
        return self.until()


def matching(tokens: Sequence[Token], at: int) -> int:
    """Return the index of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i].kind == "symbol":
            depth += (tokens[i].text in _OPEN) - (tokens[i].text in _CLOSE)
            if depth == 0:
                return i
    raise syntax_error("", "a bracket is not closed")


def split_commas(text: str) -> list[str]:
    """Split at commas outside brackets and outside the `<...>` of a type."""
    parts, depth, last = [], 0, 0
    for token in tokenize(text):
        if token.kind != "symbol":
            continue
        if token.text == "," and depth <= 0:
            parts.append(text[last : token.start].strip())
            last = token.end
        depth += (token.text in _OPEN + "<") - (token.text in _CLOSE + ">")
    tail = text[last:].strip()
    return [*parts, tail] if tail or parts else []


@dataclass(frozen=True, slots=True)
class Reference:
    """A table in a query: `text[start:end]` is its name, `parts` the name in lower case.

    The reference of a table statement starts at the word TABLE, that of a stream at STREAM.
    `files` is the folder of READ_FILES, which has no other name.
    """

    parts: tuple[str, ...]
    start: int
    end: int
    has_alias: bool
    is_table_statement: bool
    files: str = ""


def table_references(text: str) -> list[Reference]:
    """Return the tables and views that a query (or an expression's subqueries) reads.

    Names of common table expressions, table functions and VALUES are not included. Time travel and
    samples raise: the double does not support them.
    """
    found: list[Reference] = []
    tokens = tokenize(text)
    _scan(tokens, 0, len(tokens), frozenset(), False, found)
    return found


def _scan(
    tokens: Sequence[Token],
    at: int,
    end: int,
    ctes: frozenset[str],
    wants_relation: bool,
    found: list[Reference],
) -> None:
    """Scan one level of brackets, tokens[at:end); inner levels by recursion."""
    in_from, saw_query, first = wants_relation, wants_relation, at
    while at < end:
        token = tokens[at]
        if wants_relation and (token.kind in ("word", "quoted")) and token.word != "LATERAL":
            wants_relation = False
            if token.word not in ("SELECT", "VALUES", "WITH", "TABLE"):
                at = _relation(tokens, at, end, ctes, found)
                continue
        if token.kind == "symbol" and token.text in _OPEN:
            close = matching(tokens, at)
            inner = tokens[at + 1].word if at + 1 < close else ""
            _scan(tokens, at + 1, close, ctes, wants_relation and inner not in QUERY_WORDS, found)
            wants_relation = False
            at = close + 1
            continue
        word = token.word
        previous = tokens[at - 1] if at > first else None
        if word == "WITH":
            at, ctes = _common_tables(tokens, at, end, ctes, found)
            continue
        if word in ("SELECT", "DELETE"):
            saw_query, in_from = True, False
        elif word == "TABLE" and (at == first or (previous and previous.word in ("ALL", "UNION"))):
            at = _relation(tokens, at + 1, end, ctes, found, table_statement=True)
            continue
        elif word == "FROM" and saw_query and not (previous and previous.word == "DISTINCT"):
            wants_relation = in_from = True
        elif word == "FROM" and at == first:
            wants_relation = in_from = saw_query = True
        elif word in ("JOIN", "INTO") or (word == "USING" and not _is_column_list(tokens, at, end)):
            wants_relation = True
        elif word in _FROM_ENDS:
            in_from = False
        elif token.text == "," and token.kind == "symbol" and in_from:
            wants_relation = True
        at += 1


def _is_column_list(tokens: Sequence[Token], at: int, end: int) -> bool:
    """Return whether the USING at `at` belongs to a join, followed by (a, b) and not a query."""
    after = tokens[at + 1 : min(at + 3, end)]
    return len(after) == 2 and after[0].text == "(" and after[1].word not in QUERY_WORDS


def _common_tables(
    tokens: Sequence[Token], at: int, end: int, ctes: frozenset[str], found: list[Reference]
) -> tuple[int, frozenset[str]]:
    """Scan `with a as (...), b (x) as (...)`; return its end and the names known after it."""
    at += 1
    recursive = at < end and tokens[at].word == "RECURSIVE"
    at += recursive
    while at < end:
        name = tokens[at].name.lower()
        at += 1
        if at < end and tokens[at].text == "(":
            at = matching(tokens, at) + 1
        if at >= end or tokens[at].word != "AS":
            raise syntax_error(tokens[at].text if at < end else "", "expected AS")
        if at + 1 >= end or tokens[at + 1].text != "(":
            raise syntax_error(tokens[at].text, "expected (")
        close = matching(tokens, at + 1)
        _scan(tokens, at + 2, close, ctes | {name} if recursive else ctes, False, found)
        ctes = ctes | {name}
        at = close + 1
        if at < end and tokens[at].text == ",":
            at += 1
            continue
        break
    return at, ctes


def _relation(
    tokens: Sequence[Token],
    at: int,
    end: int,
    ctes: frozenset[str],
    found: list[Reference],
    table_statement: bool = False,
) -> int:
    """Read the relation at `at` and record it; return the index after its name."""
    start = at
    if at + 1 < end and tokens[at].word == "STREAM" and tokens[at + 1].kind in ("word", "quoted"):
        at += 1
    if at >= end:
        raise syntax_error("", "expected a table")
    if tokens[at].kind not in ("word", "quoted"):
        raise syntax_error(tokens[at].text, "expected a table")
    parts, first = [tokens[at].name.lower()], at
    at += 1
    while at + 1 < end and tokens[at].text == "." and tokens[at + 1].kind in ("word", "quoted"):
        parts.append(tokens[at + 1].name.lower())
        at += 2
    follows = tokens[at] if at < end else None
    files = ""
    if follows is not None and follows.text == "(" and tokens[first].kind == "word":
        if parts != ["read_files"] or at + 1 >= end or tokens[at + 1].kind != "string":
            return at
        files = unquote_string(tokens[at + 1].text)
        at = matching(tokens, at) + 1
        follows = tokens[at] if at < end else None
    if follows is not None and (
        follows.word in ("TABLESAMPLE", "VERSION", "TIMESTAMP") or follows.text == "@"
    ):
        if follows.word != "TABLESAMPLE":
            raise TimeTravel(tuple(parts))
        raise syntax_error(follows.text, "time travel and samples are not supported by the double")
    if files or len(parts) > 1 or parts[0] not in ctes:
        alias = follows is not None and (
            follows.word == "AS"
            or follows.kind == "quoted"
            or (follows.kind == "word" and follows.word not in _NO_ALIAS)
        )
        found.append(
            Reference(
                tuple(parts),
                tokens[start - table_statement].start,
                tokens[at - 1].end,
                alias,
                table_statement,
                files,
            )
        )
    return at
