"""What a workspace, or the double, answered to the probes: a file of JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from project.errors import UserError

# A file of another version was written by other probes or with other words for their answers.
VERSION: Final = 1
ACCEPTED: Final = "accepted"
NOT_AVAILABLE: Final = "not available"
_REFUSED: Final = "refused: "


@dataclass(frozen=True)
class Answers:
    """The answer to each probe by name, and facts of the workspace, which are no beliefs."""

    answers: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)


def refused(error_class: str) -> str:
    """Return the answer of a workspace that refuses a statement, with the error's class."""
    return _REFUSED + error_class


def unasked(error_class: str) -> str:
    """Return the answer of a workspace that refuses a statement before the one that asks."""
    return f"cannot be asked: {error_class}"


def refusal(answer: str) -> str:
    """Return the class of the error in an answer, or '' if the statement was not refused."""
    return answer.removeprefix(_REFUSED) if answer.startswith(_REFUSED) else ""


def as_text(found: Answers) -> str:
    """Return the content of a file with the answers."""
    return json.dumps({"version": VERSION} | asdict(found), indent=2, sort_keys=True) + "\n"


def read_answers(path: Path, names: Collection[str] | None = None) -> Answers:
    """Return the answers in a file, which are those to the probes called `names`, if given.

    Raises UserError if it cannot be read, is of another version, or has other probes.
    """
    again = "write it again with `ecommerce databricks probe`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file of answers") from error
    except ValueError as error:
        raise UserError(f"{path}: is not JSON ({error}); {again}") from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise UserError(
            f"{path}: is of version {json.dumps(version)}, and this program reads {VERSION};"
            f" {again}"
        )
    answers, facts = content.get("answers"), content.get("facts")
    for part in (answers, facts):
        if not isinstance(part, dict) or not all(isinstance(value, str) for value in part.values()):
            raise UserError(f"{path}: answers and facts must be texts by name; {again}")
    different = sorted(set(answers) ^ set(names if names is not None else answers))
    if different:
        raise UserError(f"{path}: does not fit the probes, by {', '.join(different)}; {again}")
    return Answers(answers, facts)
