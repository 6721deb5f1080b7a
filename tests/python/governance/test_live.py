"""Responses of the Statement Execution API that the loopback warehouse never gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

from governance import state
from governance.live import Catalog
from project.errors import UserError

# The response to a statement that reads this view; all others return no rows.
Answers = dict[str, dict[str, Any]]


def rows(*data: list[str], **manifest: Any) -> dict[str, Any]:
    return {
        "statement_id": "s",
        "status": {"state": "SUCCEEDED"},
        "manifest": {"total_row_count": len(data), "truncated": False} | manifest,
        "result": {"data_array": list(data)},
    }


@pytest.fixture
def answers() -> Answers:
    return {}


@pytest.fixture
def catalog(answers: Answers) -> Iterator[Catalog]:
    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = [a for view, a in answers.items() if f".{view}" in asked["statement"]]
            body = json.dumps(found[0] if found else rows()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path.rpartition("/")[2], {})).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        client = WorkspaceClient(config=Config(host=host, token="t", auth_type="pat"))
        yield Catalog(client, "w1", "shop")
        server.shutdown()


def test_a_response_without_rows_may_lack_parts(catalog: Catalog, answers: Answers) -> None:
    empty = {"statement_id": "s", "status": {"state": "SUCCEEDED"}}
    answers |= {"column_masks": empty | {"manifest": {}, "result": {}}, "row_filters": empty}
    assert catalog.state() == {}


def test_missing_rows_are_reported(catalog: Catalog, answers: Answers) -> None:
    answers["row_filters"] = rows(["s", "t", "shop.s.f", "a"], total_row_count=2)
    with pytest.raises(UserError, match="w1: 1 of 2 rows arrived; run again"):
        catalog.state()


def test_truncated_rows_are_reported(catalog: Catalog, answers: Answers) -> None:
    answers["row_filters"] = rows(["s", "t", "shop.s.f", "a"], truncated=True)
    with pytest.raises(UserError, match="w1: 1 of more rows arrived; run again"):
        catalog.state()


def test_grants_by_databricks_on_information_schema_are_ignored(
    catalog: Catalog, answers: Answers
) -> None:
    who, system = "account users", "System user"
    answers |= {
        "schema_privileges": rows(
            ["shop", "information_schema", who, "USE_SCHEMA", system],
            ["shop", "gold_layer", who, "USE_SCHEMA", "ann"],
        ),
        "table_privileges": rows(["shop", "information_schema", "tables", who, "SELECT", system]),
    }
    assert catalog.state() == dict([state.grant("schema gold_layer", who, "USE_SCHEMA")])


def test_a_policy_of_the_rest_api_is_read_with_its_conditions(
    catalog: Catalog, answers: Answers
) -> None:
    conditions = [{"alias": "a", "condition": "hasTag('k')"}, {"alias": "b", "condition": "true"}]
    policy = {
        "name": "mask",
        "policy_type": "POLICY_TYPE_COLUMN_MASK",
        "for_securable_type": "TABLE",
        "to_principals": ["account users"],
        "except_principals": ["ann"],
        "match_columns": conditions,
        "when_condition": "hasTag('t')",
        "column_mask": {
            "function_name": "shop.s.f",
            "on_column": "b",
            "using": [{"alias": "a"}, {"constant": "4"}],
        },
    }
    # The query of privileges reads the owners of schemas too.
    answers |= {"schema_privileges": rows(), "schemata": rows(["gold"], ["information_schema"])}
    answers["shop.gold"] = {"policies": [policy]}
    assert catalog.state() == dict(
        [
            state.policy(
                *("schema gold", "mask", "column_mask", "shop.s.f", ["true", "has_tag('k')", "4"]),
                *(["account users"], ["ann"], "has_tag('t')"),
            )
        ]
    )


def test_a_warehouse_that_is_still_starting_is_waited_for(
    catalog: Catalog, answers: Answers
) -> None:
    pending = {"statement_id": "x1", "status": {"state": "PENDING"}}
    # Asked again, it answers by the id of the statement.
    answers |= {"row_filters": pending, "x1": rows(["s", "t", "shop.s.f", "a"])}
    assert catalog.state() == dict([state.row_filter("s.t", "shop.s.f", ["a"])])


def test_rows_of_several_responses_are_all_read(catalog: Catalog, answers: Answers) -> None:
    first = rows(["s", "t", "shop.s.f", "a"], total_row_count=3)
    first["result"]["next_chunk_index"] = 1
    answers["row_filters"] = first
    answers["1"] = {"data_array": [["s", "u", "shop.s.f", "a"]], "next_chunk_index": 2}
    answers["2"] = {"data_array": [["s", "v", "shop.s.f", "a"]]}
    assert catalog.state() == dict(
        state.row_filter(f"s.{table}", "shop.s.f", ["a"]) for table in "tuv"
    )


def test_a_canceled_statement_is_reported(catalog: Catalog, answers: Answers) -> None:
    answers["catalog_privileges"] = {"statement_id": "s", "status": {"state": "CANCELED"}}
    with pytest.raises(UserError, match=r"w1: the statement was canceled .* run again") as raised:
        catalog.state()
    assert "deploy the bundle" not in str(raised.value)


def test_a_statement_that_fails_names_the_bundle(catalog: Catalog, answers: Answers) -> None:
    failed = {"state": "FAILED", "error": {"message": "NO_SUCH_CATALOG\n'shop'"}}
    answers["catalog_privileges"] = {"statement_id": "s", "status": failed}
    with pytest.raises(UserError, match="NO_SUCH_CATALOG 'shop'; deploy the bundle") as raised:
        catalog.state()
    assert "\n" not in str(raised.value)
