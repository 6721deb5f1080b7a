"""The questions of analysts, marketers, category managers and finance, each answered by one query.

They are dbt analyses, which dbt compiles and does not run: whatever shows them reads them here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from project.errors import UserError
from project.home import CHECKOUT
from project.yml import read_yml

FOLDER: Final = CHECKOUT / "analyses" / "questions"
GOLD: Final = "gold_layer"
_NAME: Final = re.compile(r"(\d\d)_([a-z0-9_]+)")
_REF: Final = re.compile(r"\{\{ ref\('(\w+)'\) \}\}")


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is asked, and the query that answers it."""

    number: int
    slug: str
    """The name in words and underscores, without the number."""
    title: str
    """The question, with its question mark."""
    note: str
    """Who asks it, and what to beware of in the answer."""
    sql: str
    """A select from `gold_layer`, ordered, without a semicolon."""

    @property
    def name(self) -> str:
        """The name of the dbt analysis and of its file without `.sql`."""
        return f"{self.number:02d}_{self.slug}"


def read_questions(folder: Path = FOLDER) -> list[Question]:
    """Return the questions in their order.

    Raises UserError for a file that is not named `NN_slug.sql`, does not begin with the question in
    a comment, is templated beyond `ref` or is not described in `questions.yml`.
    """
    notes = _read_notes(folder / "questions.yml")
    return [_read_question(path, notes) for path in sorted(folder.glob("*.sql"))]


def _read_notes(path: Path) -> dict[str, str]:
    analyses = read_yml(path)["analyses"]
    return {analysis["name"]: " ".join(analysis["description"].split()) for analysis in analyses}


def _read_question(path: Path, notes: dict[str, str]) -> Question:
    name = _NAME.fullmatch(path.stem)
    if not name:
        raise UserError(f"{path}: the name is not NN_slug.sql; rename the file")
    comment, _, query = path.read_text("utf-8").partition("\n")
    title = comment.removeprefix("-- ")
    if not comment.startswith("-- ") or not title.endswith("?"):
        raise UserError(f"{path}:1: no question in a comment; begin with '-- How many ...?'")
    sql = _REF.sub(rf"{GOLD}.\1", query).strip()
    if "{" in sql:
        raise UserError(f"{path}: Jinja beyond {{{{ ref('...') }}}}; write plain SQL over marts")
    note = notes.get(path.stem, "")
    if not note.startswith(f"{title} "):
        raise UserError(
            f"{path.with_name('questions.yml')}: the description of {path.stem} does not begin with"
            f" '{title}'; repeat the question there"
        )
    return Question(int(name[1]), name[2], title, note.removeprefix(f"{title} "), sql)
