"""A mart is read in a loop while dbt rebuilds it: every result is the old table or the new one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.built_platform import built_platform
from support.databricks_runs import WITHOUT_TESTS, DatabricksHome, copy_project

pytestmark = pytest.mark.warehouse

# The mart -> its revenue.
MARTS = {
    "customer_metrics": "revenue",
    "product_performance": "revenue",
    "daily_sales_summary": "revenue",
    "conversion_funnel": "session_revenue",
}
# Number of rows and revenue by mart, or an error.
Answer = dict[str, tuple[int, float]] | str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabricksHome]:
    """Marts of few rows; many more have landed for the next build."""
    folder = tmp_path_factory.mktemp("readers")
    with built_platform(folder) as platform:
        generate = ("generate", "--events", "3000", "--days", "6", "--out")
        platform.home.run(*generate, str(folder / "files"))
        platform.load(folder / "files")
        yield platform.dev


@contextmanager
def reading(databricks: DatabricksHome, pause: float) -> Iterator[list[Answer]]:
    """Query the marts in a loop with a pause of seconds, and collect results and errors."""
    answers: list[Answer] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(pause):
            try:
                answers.append(totals(databricks))
            except Exception as error:
                answers.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield answers
    finally:
        ended.set()
        reader.join()


def totals(databricks: DatabricksHome) -> dict[str, tuple[int, float]]:
    """Return number of rows and revenue by mart, of the versions that are newest together."""
    rows = databricks.query(
        " union all ".join(
            f"select '{mart}' as mart, count(*) as n, sum({revenue}) as revenue"
            f" from gold_layer.{mart}"
            for mart, revenue in MARTS.items()
        )
    )
    return {row["mart"]: (row["n"], float(row["revenue"] or 0)) for row in rows.to_pylist()}


def test_a_reader_sees_the_old_rows_or_the_new_ones(built: DatabricksHome) -> None:
    before = totals(built)
    # A pause that leaves the processor to the build.
    with reading(built, 0.1) as answers:
        built.dbt("build", *WITHOUT_TESTS)
    after = totals(built)
    assert len(answers) > 20
    for mart in MARTS:
        assert before[mart] != after[mart]
        seen = {answer if isinstance(answer, str) else answer[mart] for answer in answers}
        assert seen <= {before[mart], after[mart]}, mart


def test_the_adapters_own_table_shows_an_empty_mart(built: DatabricksHome, tmp_path: Path) -> None:
    """Plant the fault that the loop must detect."""
    project = copy_project(
        tmp_path,
        ("dbt_project.yml", "else 'incremental' }}", "else 'table' }}"),
        ("dbt_project.yml", "      +use_safer_relation_operations: true\n", ""),
        # Its yml sets it as well, because materialized views cannot have masks.
        ("models/gold/customer_metrics.yml", "else 'incremental' }}", "else 'table' }}"),
    )
    faulty = DatabricksHome(tmp_path, built.warehouse, project)
    with reading(built, 0.03) as answers:
        faulty.dbt("run", "--select", "customer_metrics")
    seen = [answer["customer_metrics"] for answer in answers if isinstance(answer, dict)]
    assert (0, 0.0) in seen
