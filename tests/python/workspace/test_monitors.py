"""The job of the data quality monitors, against a workspace that answers as documented."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.workspace_double import CATALOG, Call, Workspace
from workspace import monitors

pytestmark = pytest.mark.workspace

ARGUMENTS = ("--catalog", CATALOG, "--warehouse-id", "w1")
ROOT = "/api/data-quality/v1/monitors"


class Tables:
    """A rule of the double: the marts have ids, and those in `created` a monitor."""

    def __init__(self) -> None:
        self.created: dict[str, dict[str, Any]] = {}
        self.refused: tuple[int, str, str] | None = None

    def __call__(self, call: Call) -> bool:
        kind, _, name = call.path.removeprefix("/api/2.1/unity-catalog/").partition("/")
        if kind in ("tables", "schemas") and call.method == "GET":
            call.answer(200, {f"{kind.removesuffix('s')}_id": f"id of {name}"})
        elif call.path == ROOT and call.method == "POST":
            self._create(call)
        elif call.path.startswith(f"{ROOT}/table/"):
            self._get(call)
        else:
            return False
        return True

    def _create(self, call: Call) -> None:
        if self.refused:
            call.refuse(*self.refused)
            return
        monitor = json.loads(call.read())
        self.created[monitor["object_id"]] = monitor
        call.answer(200, monitor)

    def _get(self, call: Call) -> None:
        monitor = self.created.get(call.path.removeprefix(f"{ROOT}/table/"))
        if monitor is None:
            call.refuse(404, "NOT_FOUND", "Monitor does not exist.")
        else:
            call.answer(200, monitor)


@pytest.fixture
def tables(workspace: Workspace) -> Tables:
    tables = Tables()
    workspace.rules.append(tables)
    return tables


def test_marts_without_a_monitor_get_one(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    marts = {f"id of {CATALOG}.gold_layer.{mart}" for mart in monitors.MARTS}
    assert monitors.main(ARGUMENTS) == 0
    assert set(tables.created) == marts
    for monitor in tables.created.values():
        profiling = monitor["data_profiling_config"]
        assert monitor["object_type"] == "table"
        assert profiling["output_schema_id"] == f"id of {CATALOG}.intermediate_layer"
        assert profiling["time_series"] == {
            "timestamp_column": "event_date",
            "granularities": ["AGGREGATION_GRANULARITY_1_DAY"],
        }
    assert capsys.readouterr().out.count("monitored from now on") == len(marts)
    # A full refresh has replaced one table; the others keep what they have.
    before = dict(tables.created)
    del tables.created[sorted(marts)[0]]
    assert monitors.main(ARGUMENTS) == 0
    printed = capsys.readouterr().out
    assert (printed.count("monitored from now on"), printed.count("has a monitor")) == (1, 2)
    assert tables.created == before


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        ((403, "PERMISSION_DENIED", "no MANAGE"), "run as the owner of the table"),
        ((404, "FEATURE_DISABLED", "no such feature"), "set data_quality_monitoring to false"),
    ],
)
def test_a_refusal_names_the_table_and_the_remedy(
    tables: Tables,
    capsys: pytest.CaptureFixture[str],
    refusal: tuple[int, str, str],
    remedy: str,
) -> None:
    tables.refused = refusal
    assert monitors.main(ARGUMENTS) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {CATALOG}.gold_layer.category_brand_days: ")
    assert remedy in message


def test_monitored_marts_have_a_day_and_nothing_personal(manifest: dict[str, Any]) -> None:
    for mart in monitors.MARTS:
        columns = manifest["nodes"][f"model.ecommerce_analytics.{mart}"]["columns"]
        assert columns[monitors.DAY]["data_type"] == "date"
        assert not [name for name, column in columns.items() if column.get("column_mask")], mart
