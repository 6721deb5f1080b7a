"""The loopback warehouse over the network: real connector, real SDK, concurrent clients."""

import base64
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.sql import StatementParameterListItem, StatementState
from databricks.sql.exc import RequestError, ServerOperationError

from warehouse.server import WAREHOUSE_ID, Warehouse

pytestmark = pytest.mark.warehouse


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    with Warehouse(["shop"], {"pipeline": ["owners"], "reader": []}) as running:
        running.create_schema("shop.s")
        running.execute("create table shop.s.t as select 1 as id, 'a' as v")
        yield running


def query(warehouse: Warehouse, statement: str, **options: Any) -> list[tuple[Any, ...]]:
    with warehouse.connect("pipeline", **options) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]


def workspace(warehouse: Warehouse, token: str | None = None) -> WorkspaceClient:
    return WorkspaceClient(
        host=warehouse.host, token=token or warehouse.token("pipeline"), auth_type="pat"
    )


def test_types_reach_the_connector(warehouse: Warehouse) -> None:
    (row,) = query(
        warehouse,
        "select cast(1 as bigint), 1.5D, cast(2.50 as decimal(18, 2)), true, date'2020-01-02', "
        "timestamp'2020-01-02 03:04:05', null, array(1, 2), 'é'",
    )
    moment = dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert row[:7] == (1, 1.5, Decimal("2.50"), True, dt.date(2020, 1, 2), moment, None)
    assert (list(row[7]), row[8]) == ([1, 2], "é")


def test_many_rows_arrive_in_one_response(warehouse: Warehouse) -> None:
    rows = query(warehouse, "select id from range(200000)")
    assert len(rows) == 200_000 and rows[-1] == (199_999,)


def test_session_starts_in_its_catalog_and_schema_and_may_change_them(warehouse: Warehouse) -> None:
    with warehouse.connect("pipeline", catalog="shop", schema="s") as connection:
        cursor = connection.cursor()
        cursor.execute("select v from t")
        assert cursor.fetchall()[0].v == "a"
        cursor.execute("select current_catalog() c, current_schema() s, current_user() u")
        assert tuple(cursor.fetchall()[0]) == ("shop", "s", "pipeline")
        cursor.execute("use schema default")
        with pytest.raises(ServerOperationError, match="TABLE_OR_VIEW_NOT_FOUND"):
            cursor.execute("select v from t")


def test_a_failed_statement_leaves_the_session_usable(warehouse: Warehouse) -> None:
    with warehouse.connect("pipeline") as connection:
        cursor = connection.cursor()
        with pytest.raises(ServerOperationError, match="PARSE_SYNTAX_ERROR"):
            cursor.execute("selec 1")
        cursor.execute("select 1")
        assert cursor.fetchall()[0][0] == 1


def test_unknown_and_expired_tokens_are_refused(warehouse: Warehouse) -> None:
    with pytest.raises(RequestError, match="Invalid access token"):
        query(warehouse, "select 1", token="unknown")
    warehouse.add_principal("late", token="old")
    assert query(warehouse, "select current_user()", token="old") == [("late",)]
    warehouse.expired.add("old")
    with pytest.raises(RequestError, match="expired"):
        query(warehouse, "select 1", token="old")
    with pytest.raises(PermissionDenied, match="expired"):
        workspace(warehouse, "old").current_user.me()


def test_no_token_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(RequestError, match="Credential was not sent"):
        query(warehouse, "select 1", token=" ")


def test_stopped_warehouse_rejects_statements_until_it_runs(warehouse: Warehouse) -> None:
    warehouse.stopped = True
    try:
        with pytest.raises(RequestError, match="is stopped"):
            query(warehouse, "select 1")
        with pytest.raises(DatabricksError, match="is stopped"):
            workspace(warehouse).statement_execution.execute_statement("select 1", WAREHOUSE_ID)
    finally:
        warehouse.stopped = False
    assert query(warehouse, "select 1") == [(1,)]


def test_unknown_warehouse_is_not_found(warehouse: Warehouse) -> None:
    uri = warehouse.connection_uri.replace(WAREHOUSE_ID, "other")
    with pytest.raises(RequestError, match="SQL warehouse other does not exist"):
        query(warehouse, "select 1", _connection_uri=uri)


def test_statement_execution_api_gives_text_and_named_parameters(warehouse: Warehouse) -> None:
    answer = workspace(warehouse).statement_execution.execute_statement(
        "select id, v, cast(null as string) n, true as b, :who as who, '::text:who' t "
        "from shop.s.t where id = :id",
        WAREHOUSE_ID,
        parameters=[
            StatementParameterListItem(name="who", value="it's me"),
            StatementParameterListItem(name="id", value="1", type="INT"),
        ],
    )
    assert answer.status and answer.status.state == StatementState.SUCCEEDED
    assert answer.result and answer.manifest and answer.manifest.schema
    assert answer.result.data_array == [["1", "a", None, "true", "it's me", "::text:who"]]
    assert [c.name for c in answer.manifest.schema.columns or []][:2] == ["id", "v"]


def test_statement_execution_api_reports_failure_and_can_be_polled(
    warehouse: Warehouse,
) -> None:
    statements = workspace(warehouse).statement_execution
    answer = statements.execute_statement("select * from shop.s.absent", WAREHOUSE_ID)
    assert answer.status and answer.status.error and answer.statement_id
    assert "TABLE_OR_VIEW_NOT_FOUND" in str(answer.status.error.message)
    again = statements.get_statement(answer.statement_id)
    assert again.status and again.status.state == StatementState.FAILED
    with pytest.raises(NotFound):
        statements.get_statement("absent")


def test_unknown_routes_are_rejected_and_recorded(warehouse: Warehouse) -> None:
    with pytest.raises(NotFound, match=r"no route GET /api/2\.1/unity-catalog"):
        list(workspace(warehouse).catalogs.list())
    (entry, *_) = warehouse.statements("REST", matching="unity-catalog")
    assert entry.principal == "pipeline" and "no route" in entry.error


def submit(warehouse: Warehouse, source: str) -> dict[str, Any]:
    api = workspace(warehouse).api_client
    path = "/Users/pipeline/model"
    content = base64.b64encode(source.encode()).decode()
    api.do("POST", "/api/2.0/workspace/import", body={"path": path, "content": content})
    task = {"task_key": "t", "notebook_task": {"notebook_path": path}}
    run = api.do("POST", "/api/2.2/jobs/runs/submit", body={"tasks": [task]})
    assert isinstance(run, dict)
    found = api.do("GET", "/api/2.2/jobs/runs/get-output", query=run)
    assert isinstance(found, dict)
    return found


def test_notebook_reads_through_policies_and_its_table_is_adopted(warehouse: Warehouse) -> None:
    warehouse.execute(
        "create or replace table shop.s.secret as select 1L as id union all select 2L"
    )
    warehouse.execute("create function shop.s.none(id bigint) returns bigint return null")
    warehouse.execute("alter table shop.s.secret alter column id set mask shop.s.none")
    found = submit(
        warehouse,
        "frame = spark.table('`shop`.`s`.`secret`')\n"
        "frame = frame.unionByName(spark.table('shop.s.t').selectExpr('cast(id as bigint) id'))\n"
        'frame.write.mode("overwrite").format("delta").saveAsTable("`shop`.`s`.`copied`")\n',
    )
    assert found["metadata"]["state"]["result_state"] == "SUCCESS", found
    assert sorted(warehouse.read("shop.s.copied")["id"].to_pylist(), key=str) == [1, None, None]
    assert warehouse.ledger.relation(("shop", "s", "copied")).owner == "pipeline"


def test_failing_notebook_gives_its_traceback(warehouse: Warehouse) -> None:
    found = submit(warehouse, "raise ValueError('broken model')")
    assert found["metadata"]["state"]["result_state"] == "FAILED"
    assert "ValueError: broken model" in found["error_trace"]


def test_temporary_views_belong_to_their_session(warehouse: Warehouse) -> None:
    with warehouse.connect("pipeline") as one, warehouse.connect("pipeline") as two:
        first, second = one.cursor(), two.cursor()
        first.execute("create or replace temporary view tmp as select 1 as n")
        second.execute("create or replace temporary view tmp as select 2 as n")
        first.execute("select n from tmp")
        second.execute("select n from tmp")
        assert (first.fetchall()[0].n, second.fetchall()[0].n) == (1, 2)
        first.execute("drop view if exists tmp")
        with pytest.raises(ServerOperationError, match="TABLE_OR_VIEW_NOT_FOUND"):
            first.execute("select n from tmp")


def test_eight_concurrent_clients_get_their_own_results(warehouse: Warehouse) -> None:
    def work(n: int) -> bool:
        with warehouse.connect("pipeline", catalog="shop", schema="s") as connection:
            cursor = connection.cursor()
            table = f"`shop`.`s`.`t{n}`"
            cursor.execute(f"create or replace temporary view tmp as select {n}L as n, 'x' as x")
            cursor.execute(
                f"create or replace table {table} (n bigint not null comment 'c', x string)"
            )
            cursor.execute(f"alter table {table} set tags ('n' = '{n}')")
            cursor.execute(f"insert into {table} by name select * from tmp")
            for _ in range(3):
                cursor.execute(
                    f"merge into {table} as d using tmp as s on d.n <=> s.n "
                    "when matched then update set x = concat(d.x, s.x)"
                )
            cursor.execute(
                "select tag_value from system.information_schema.table_tags "
                f"where table_name = 't{n}'"
            )
            tags = cursor.fetchall()
            cursor.execute(f"select n, x from {table}")
            return [tuple(r) for r in cursor.fetchall()] == [(n, "xxxx")] and tags[0][0] == str(n)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


def test_journal_records_sender_statement_and_outcome(warehouse: Warehouse) -> None:
    warehouse.journal.clear()
    with pytest.raises(ServerOperationError):
        query(warehouse, '/* {"app": "dbt"} */ select * from shop.s.absent -- end')
    query(warehouse, "show schemas in `shop`")
    query(warehouse, "CREATE OR REPLACE VIEW shop.s.seen AS SELECT v FROM shop.s.t;")
    query(warehouse, "select * from shop.s.seen")
    failed, listed, made, read = warehouse.statements()
    assert (failed.kind, failed.principal) == ("SELECT", "pipeline")
    assert "TABLE_OR_VIEW_NOT_FOUND" in failed.error and failed.text.startswith("/*")
    assert (listed.kind, listed.route) == ("SHOW SCHEMAS", "introspection")
    assert made.kind == "CREATE VIEW" and (read.route, read.error) == ("rewritten", "")
    assert len({e.session for e in (failed, listed, made, read)}) == 4 and read.ms > 0
    assert warehouse.statements(matching="create or replace view") == [made]


def test_catalogs_can_be_added_and_read_across(warehouse: Warehouse) -> None:
    warehouse.create_catalog("second")
    warehouse.execute("create table second.default.t as select 1 as id, 'b' as w")
    joined = query(warehouse, "select v, w from shop.s.t join second.default.t as o on o.id = t.id")
    assert joined == [("a", "b")]


def test_a_saved_warehouse_is_restored_elsewhere(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.execute("create table shop.s.kept as select 1 as id")
    warehouse.execute("grant select on table shop.s.kept to reader")
    warehouse.save(tmp_path / "saved")
    warehouse.execute("insert into shop.s.kept values (2)")
    with Warehouse(["other"], {"pipeline": [], "reader": []}) as restored:
        restored.restore(tmp_path / "saved")
        restored.execute("insert into shop.s.kept values (3)")
        assert sorted(restored.read("shop.s.kept")["id"].to_pylist()) == [1, 3]
        assert restored.execute("show grants on table shop.s.kept").num_rows == 1
    assert sorted(warehouse.read("shop.s.kept")["id"].to_pylist()) == [1, 2]
