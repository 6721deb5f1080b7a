"""Questions are read from their files as dbt reads them, without dbt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from project.errors import UserError
from project.home import CHECKOUT
from project.questions import Question, read_questions

QUESTIONS: Final = read_questions()
QUERY = "-- Who buys?\nselect count(*) as buyers\nfrom {{ ref('orders') }}\n"
NOTES = """
analyses:
  - name: 07_who_buys
    description: >
      Who buys? Asked by
      finance. Beware: few.
"""


def write(folder: Path, name: str = "07_who_buys", query: str = QUERY, notes: str = NOTES) -> None:
    (folder / f"{name}.sql").write_text(query, "utf-8")
    (folder / "questions.yml").write_text(notes, "utf-8")


def test_a_question_has_its_title_note_and_query(tmp_path: Path) -> None:
    write(tmp_path)
    [question] = read_questions(tmp_path)
    sql = "select count(*) as buyers\nfrom gold_layer.orders"
    assert question == Question(7, "who_buys", "Who buys?", "Asked by finance. Beware: few.", sql)
    assert question.name == "07_who_buys"


def test_the_committed_questions_are_plain_queries() -> None:
    for question in QUESTIONS:
        assert question.sql.startswith(("select", "with")), question.name
        assert "gold_layer." in question.sql, question.name
        assert "\norder by" in question.sql, question.name


def test_the_committed_questions_are_numbered_and_say_who_asks() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, len(QUESTIONS) + 1))
    assert len({question.title for question in QUESTIONS}) == len(QUESTIONS) >= 30
    for question in QUESTIONS:
        note = f"analyses/questions/questions.yml: {question.name}: after the question say"
        assert question.note.startswith("Asked by "), f"{note} who asks it: 'Asked by ...'"
        assert "Beware: " in question.note, f"{note} what to beware of: 'Beware: ...'"
        assert len(question.sql.splitlines()) < 25, question.name


def test_the_page_lists_each_committed_question() -> None:
    page = (CHECKOUT / "docs" / "questions.md").read_text("utf-8")
    for question in QUESTIONS:
        assert f"/{question.name}.sql)" in page, (
            f"docs/questions.md lacks {question.name}: write it by"
            " `UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/python/models/test_questions.py`"
        )


def test_the_committed_questions_read_marts_only(manifest: dict[str, Any]) -> None:
    nodes = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "analysis" and node["name"][0].isdigit()
    }
    assert set(nodes) == {question.name for question in QUESTIONS}
    for node in nodes.values():
        assert node["depends_on"]["nodes"], node["name"]
        for parent in node["depends_on"]["nodes"]:
            assert manifest["nodes"][parent]["schema"] == "gold_layer", node["name"]


@pytest.mark.parametrize(
    ("name", "query", "notes", "message"),
    [
        ("who_buys", QUERY, NOTES, "who_buys.sql: the name is not NN_slug.sql"),
        ("07_who_buys", QUERY[3:], NOTES, "07_who_buys.sql:1: no question in a comment"),
        ("07_who_buys", QUERY.replace("?", "."), NOTES, "07_who_buys.sql:1: no question"),
        ("07_who_buys", QUERY + "{{ var('x') }}", NOTES, "07_who_buys.sql: Jinja beyond"),
        ("07_who_buys", QUERY, NOTES.replace("buys?", "sells?"), "questions.yml: the description"),
        ("07_who_buys", QUERY, NOTES.replace("07", "08"), "questions.yml: the description"),
    ],
)
def test_a_wrong_file_is_named(
    tmp_path: Path, name: str, query: str, notes: str, message: str
) -> None:
    write(tmp_path, name, query, notes)
    with pytest.raises(UserError) as caught:
        read_questions(tmp_path)
    assert message in str(caught.value)
