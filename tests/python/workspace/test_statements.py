"""A statement on a warehouse that is not waited for any longer does not go on there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from project.errors import UserError
from support.databricks_runs import PIPELINE, running_warehouse
from warehouse.server import WAREHOUSE_ID
from warehouse.server import Warehouse as Double
from workspace.client import connect
from workspace.statements import Warehouse

pytestmark = pytest.mark.warehouse


@pytest.fixture(scope="module")
def started() -> Iterator[Double]:
    with running_warehouse({}) as warehouse:
        yield warehouse


@pytest.fixture
def busy(started: Double, monkeypatch: pytest.MonkeyPatch) -> Double:
    """A warehouse that begins no statement."""
    monkeypatch.setenv("DATABRICKS_HOST", started.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", started.token(PIPELINE))
    # Connections closed by the client would make the server's threads write to the same stderr.
    monkeypatch.setattr(ThreadingHTTPServer, "handle_error", lambda *_: None)
    monkeypatch.setattr("workspace.statements._POLL_SECONDS", 0)
    monkeypatch.setattr(started, "busy", True)
    return started


def canceled(double: Double) -> int:
    return len(double.statements("REST", matching="/cancel"))


def test_a_statement_without_an_end_is_canceled(busy: Double) -> None:
    before = canceled(busy)
    with pytest.raises(UserError, match=r"no answer in 0\.1 seconds; its cancellation was"):
        Warehouse(connect(), WAREHOUSE_ID, wait_seconds=0.1).run("select 1")
    assert canceled(busy) == before + 1


def test_a_statement_is_canceled_by_an_interrupt(
    busy: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    before, client = canceled(busy), connect()
    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Warehouse(client, WAREHOUSE_ID).run("select 1")
    assert canceled(busy) == before + 1


def test_the_first_error_is_reported_where_nothing_can_be_canceled(
    busy: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()

    def expire(_: float) -> None:
        monkeypatch.setattr(busy, "expired", {busy.token(PIPELINE)})

    monkeypatch.setattr(time, "sleep", expire)
    with pytest.raises(UserError, match="the credentials are invalid or have expired"):
        Warehouse(client, WAREHOUSE_ID).run("select 1")
