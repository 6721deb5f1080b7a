"""Assistants read gold by a client of the protocol, within limits, and nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import duckdb
import pytest

from assistant import worker
from assistant.gold_copy import refreshed
from assistant.query import Limits
from ecommerce import cli
from support.built_gold import built_gold
from support.platform_runs import Home

pytestmark = pytest.mark.slow

MIB = 2**20
LIMITS = Limits(rows=500, seconds=60, memory=256 * MIB)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = built_gold(tmp_path_factory.mktemp("gold"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECOMMERCE_HOME", str(home.folder))
        yield home


def call(tool: str, *, limits: Limits = LIMITS, **arguments: object) -> Any:
    """Return what the tool answers, or the text of its error."""

    # All test processes import this file, and one must pay for this.
    from fastmcp import Client

    from assistant.server import build

    async def answer() -> Any:
        async with Client(build(limits)) as client:
            result = await client.call_tool(tool, arguments, raise_on_error=False)
            return result.content[0].text if result.is_error else result.data

    return asyncio.run(answer())


def query(sql: str, *, limits: Limits = LIMITS) -> Any:
    return call("run_query", sql=sql, limits=limits)


def test_tables_are_those_of_gold(home: Home) -> None:
    tables = {table["name"]: table for table in call("list_tables")["tables"]}
    expected = home.query(
        "select 'gold_layer.' || table_name from information_schema.tables"
        " where table_schema = 'gold_layer'"
    )
    assert tables.keys() == {name for (name,) in expected}
    [(rows,)] = home.query("select count(*) from gold_layer.orders")
    assert tables["gold_layer.orders"]["rows"] == rows
    assert tables["gold_layer.orders"]["description"].startswith("One row per order,")


@pytest.mark.parametrize("name", ["orders", " Gold_Layer.ORDERS "])
def test_a_table_is_described_by_the_dictionary(home: Home, name: str) -> None:
    columns = {column["name"]: column for column in call("describe_table", table=name)["columns"]}
    assert columns["revenue"]["type"] == "DECIMAL(18,2)"
    assert columns["revenue"]["description"].startswith("Sum of the price over purchase events")
    assert columns["revenue"]["adds_up_over"] == ["session_id"]
    assert columns["order_date"]["adds_up_over"] == []
    assert "user_id" not in columns


def test_an_unknown_table_lists_the_known_ones(home: Home) -> None:
    for name in ("sessions", "silver_layer.orders", "x.gold_layer.orders"):
        message = call("describe_table", table=name)
        assert message.startswith(f"there is no table '{name}'; there are ")
        assert "orders" in message


@pytest.mark.parametrize(
    "sql",
    [
        "select sum(revenue) as revenue from orders",
        "with sessions as (from Gold_Layer.Orders) select sum(revenue) from sessions -- comment",
    ],
)
def test_a_select_returns_what_the_database_has(home: Home, sql: str) -> None:
    [(revenue,)] = home.query("select sum(revenue) from gold_layer.orders")
    answer = query(sql)
    assert answer["rows"] == [[str(revenue)]]
    assert answer["is_cut"] is False


def test_the_check_is_in_force(home: Home) -> None:
    assert "silver_layer.sessions is no table" in query("from silver_layer.sessions")
    assert "only a select can run" in query("drop table orders")


def test_personal_columns_are_not_there(home: Home) -> None:
    assert '"user_id" not found' in query("select user_id from customer_metrics")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("copy gold_layer.orders to '{folder}/stolen.csv'", "disabled"),
        ("attach '{database}' as platform", "disabled"),
        ("attach ':memory:' as scratch", "locked|disabled|not allowed|read-only"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("select * from '/etc/passwd'", "/etc/passwd"),
        ("select * from glob('/*')", "disabled"),
        ("install httpfs", "disabled"),
        ("load httpfs", "disabled"),
        ("set enable_external_access = true", "locked"),
        ("set lock_configuration = false", "locked"),
        ("set memory_limit = '100GB'", "locked"),
        ("reset memory_limit", "locked"),
        ("drop table gold_layer.orders", "read-only"),
        ("create table gold_layer.mine as select 1", "read-only"),
        ("update gold_layer.orders set revenue = 0", "read-only"),
        ("select * from silver_layer.sessions", "does not exist"),
        ("select user_id from gold_layer.orders", '"user_id" not found'),
        ("select * from local_variable", "local_variable does not exist"),
    ],
)
def test_the_engine_refuses_what_passes_the_check(home: Home, sql: str, message: str) -> None:
    local_variable = duckdb.sql("select 1")
    assert local_variable
    sql = sql.format(database=home.database, folder=home.folder)
    with (
        worker.open_gold(refreshed().file, 256 * MIB) as connection,
        pytest.raises(duckdb.Error, match=message),
    ):
        connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("sql", "memory"),
    [
        ("with recursive t(i) as (select 1 union all select i from t) select max(i) from t", 256),
        # The engine looks for no interruption within one value.
        ("select length(lpad('x', 400000000, 'y'))", 256),
        # Nor within the parser, whose time and memory grow with the square of such a text.
        ("select " + "(" * 3_000, 4096),
    ],
)
def test_a_query_that_never_ends_is_ended(home: Home, sql: str, memory: int) -> None:
    start = monotonic()
    answer = query(sql, limits=Limits(rows=10, seconds=1, memory=memory * MIB))
    assert "took more than 1 seconds and was ended; aggregate or filter more" in answer
    assert monotonic() - start < 20


@pytest.mark.parametrize(
    "sql",
    [
        "select string_agg(repeat('x', 1000), ',') from range(10000000)",
        # Memory that the engine does not count.
        "select length(repeat('x', 4000000000))",
        "select list_transform(range(100000000), lambda x: repeat('y', 100))",
        # Memory of the parser, 65 GB without a limit.
        "select " + "(" * 19_000,
    ],
)
def test_a_query_that_needs_too_much_memory_fails(home: Home, sql: str) -> None:
    assert "too much memory" in query(sql, limits=Limits(rows=10, seconds=60, memory=64 * MIB))


def test_too_many_rows_are_cut(home: Home) -> None:
    answer = query("select * from range(1000000000000)")
    assert answer["rows"] == [[number] for number in range(500)]
    assert answer["is_cut"] is True


def test_a_result_of_too_many_characters_is_cut(home: Home) -> None:
    answer = query("select repeat('x', 100000) from range(10)")
    assert 1 <= len(answer["rows"]) < 10
    assert answer["is_cut"] is True
    assert len(json.dumps(answer)) < worker.MOST_RESULT_CHARACTERS + 1000


def test_a_first_row_of_too_many_characters_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gold.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema gold_layer")

    most = 64 * MIB

    def run(sql: str) -> dict[str, Any]:
        task: worker.Task = {"file": str(file), "tables": [], "sql": sql, "rows": 9, "memory": most}
        return worker.run(task)

    wide = "repeat('x', 300000)"
    assert "the first row has more than 400,000" in run(f"select {wide} as a, {wide} as b")["error"]
    assert run("select 1 where false")["rows"] == []


def test_values_of_every_kind_are_plain(home: Home) -> None:
    answer = query(
        "select 0.10::decimal(18, 2) as a, date '2020-02-29', 1.5::double, null, true,"
        " 'nan'::double, [1, 2], {'k': date '2020-01-01'}"
    )
    assert answer["rows"] == [
        ["0.10", "2020-02-29", 1.5, None, True, "nan", [1, 2], {"k": "2020-01-01"}]
    ]
    assert answer["columns"][0] == {"name": "a", "type": "DECIMAL(18,2)"}


def test_gold_is_copied_again_when_it_has_changed(tmp_path: Path) -> None:
    home = built_gold(tmp_path / "home")
    orders = "select count(*) from orders"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECOMMERCE_HOME", str(home.folder))
        [[before]] = query(orders)["rows"]
        with duckdb.connect(str(home.database)) as connection:
            connection.execute("delete from gold_layer.orders where order_number > 1")
            connection.execute("checkpoint")
            # As during a run: the copy of before serves, and the answer says so.
            answer = query(orders)
            assert answer["rows"] == [[before]]
            assert answer["note"].startswith("figures of an earlier run: ")
        answer = query(orders)
    [(after,)] = home.query("select count(*) from gold_layer.orders")
    assert answer["rows"] == [[after]]
    assert "note" not in answer
    assert after < before


def test_without_a_database_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path))
    assert cli.main(["mcp"]) == 2
    assert "there is no database yet; create one by `make run`" in capsys.readouterr().err


def test_a_client_over_stdio(home: Home) -> None:
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    server = StdioTransport(
        str(Path(sys.executable).with_name("ecommerce")),
        ["mcp", "--max-rows", "2"],
        env={"ECOMMERCE_HOME": str(home.folder)},
        log_file=home.folder / "server.log",
    )

    async def ask() -> tuple[list[str], Any, Any]:
        async with Client(server) as client:
            names = [tool.name for tool in await client.list_tools()]
            rows = await client.call_tool("run_query", {"sql": "from orders select order_date"})
            # The server does not hold the database: a run can write it meanwhile.
            duckdb.connect(str(home.database)).close()
            refused = await client.call_tool(
                "run_query", {"sql": "from silver_layer.sessions"}, raise_on_error=False
            )
            return names, rows.data, refused

    names, answer, refused = asyncio.run(ask())
    assert names == ["list_tables", "describe_table", "list_metrics", "run_query"]
    assert len(answer["rows"]) == 2
    assert answer["is_cut"]
    assert refused.is_error
