"""SQL: ask the marts in the browser, with the questions of the shop to begin from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Final

from dashboard.elements import Page, Section
from project.questions import Question

TITLE: Final = "SQL"
_IMPORTS: Final = json.dumps({"imports": {"apache-arrow": "./sql/arrow_module.js"}})


def build(questions: Sequence[Question]) -> Page:
    """Return the page; its database and DuckDB load with the first query."""
    options = "".join(
        f'<option value="{question.number}">{question.number}. {escape(question.title)}</option>'
        for question in questions
    )
    # As text of elements, not of a script: nothing in it can end the element.
    texts = "".join(
        f'<div data-question="{question.number}" hidden><p>{escape(question.note)}</p>'
        f"<pre>{escape(question.sql)}</pre></div>"
        for question in questions
    )
    first = escape(questions[0].sql) if questions else ""
    body = f"""<section aria-label="Query">
<script type="importmap">{_IMPORTS}</script>
<script src="sql/sql.js" defer></script>
<p id="sql-place">This page needs a server: <code>ecommerce dashboard --serve</code> opens one on
this machine alone.</p>
<div id="sql-form" hidden>
<p><label for="question">Question</label> <select id="question">{options}</select></p>
<p id="note" class="caution"></p>
<p><label for="query">Query</label></p>
<textarea id="query" rows="14" spellcheck="false">{first}</textarea>
<p><button type="button" id="run">Run</button> <span class="caution">Ctrl+Enter runs it. The tables
are in the schema gold_layer.</span></p>
<p id="status" role="status"></p>
<div id="result"></div>
</div>
{texts}</section>
"""
    note = (
        "A copy of gold without personal columns, in DuckDB inside this page: nothing that you ask"
        " leaves the machine, and nothing can be changed."
    )
    return Page("sql", TITLE, "What else do you want to know?", [Section("Ask", note=note)], body)
