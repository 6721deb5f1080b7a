"""Questions are read from their files as dbt reads them, without dbt."""

from __future__ import annotations

from pathlib import Path

import pytest

from project.errors import UserError
from project.questions import Question, read_questions

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
    for question in read_questions():
        assert question.sql.startswith(("select", "with")), question.name
        assert "gold_layer." in question.sql, question.name
        assert "\norder by" in question.sql, question.name


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
