"""INSERT, MERGE, UPDATE, DELETE on the loopback warehouse: results, constraints, one commit."""

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from warehouse.errors import WarehouseError
from warehouse.server import Warehouse

pytestmark = pytest.mark.warehouse


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    with Warehouse(["shop"]) as running:
        running.create_schema("shop.s")
        yield running


@pytest.fixture
def orders(warehouse: Warehouse) -> str:
    warehouse.execute(
        "create or replace table shop.s.orders (id bigint not null, day date, v string)"
    )
    warehouse.execute(
        "insert into shop.s.orders values (1, date'2020-01-01', 'a'), (2, date'2020-01-02', 'b')"
    )
    return "shop.s.orders"


def rows(warehouse: Warehouse, table: str, order: str = "id") -> list[tuple[Any, ...]]:
    found = warehouse.execute(f"select * from {table} order by {order}")
    return [tuple(row.values()) for row in found.to_pylist()]


def refused(warehouse: Warehouse, statement: str) -> str:
    with pytest.raises(WarehouseError) as error:
        warehouse.execute(statement)
    return error.value.error_class


def test_by_name_takes_columns_in_any_order_and_fills_the_others_with_null(
    warehouse: Warehouse, orders: str
) -> None:
    warehouse.execute(f"insert into {orders} by name select 'c' as V, 3 as ID")
    assert rows(warehouse, orders)[-1] == (3, None, "c")


def test_insert_rejects_unknown_missing_and_mistyped_columns(
    warehouse: Warehouse, orders: str
) -> None:
    before = rows(warehouse, orders)
    assert "EXTRA_COLUMNS" in refused(warehouse, f"insert into {orders} by name select 3 id, 1 zz")
    assert "ARITY" in refused(warehouse, f"insert into {orders} values (3, null)")
    assert "SAFELY_CAST" in refused(warehouse, f"insert into {orders} values ('3', null, 'c')")
    assert rows(warehouse, orders) == before


def test_replace_on_replaces_the_matched_rows(warehouse: Warehouse, orders: str) -> None:
    warehouse.execute(
        f"insert into table {orders} as target\nreplace on (target.`id` <=> temp.`id`)\n"
        "(select `id`, `day`, `v` from (select 2 as id, date'2020-02-02' as day, 'n' as v)) as temp"
    )
    assert [r[2] for r in rows(warehouse, orders)] == ["a", "n"]


def test_replace_using_and_overwrite(warehouse: Warehouse, orders: str) -> None:
    warehouse.execute(f"insert into {orders} replace using (id) select 1, date'2021-01-01', 'u'")
    assert [r[2] for r in rows(warehouse, orders)] == ["u", "b"]
    warehouse.execute(f"insert overwrite table {orders} by name select 9L as id")
    assert rows(warehouse, orders) == [(9, None, None)]


def test_replace_where_keeps_other_rows_and_rejects_new_ones_outside(
    warehouse: Warehouse, orders: str
) -> None:
    session = warehouse.session(warehouse.ledger.principal("pipeline"), "shop", "s")
    session.execute(
        "create or replace temporary view new as select 2 id, date'2020-01-02' day, 'w' v"
    )
    session.execute(
        "INSERT INTO `shop`.`s`.`orders` BY NAME REPLACE WHERE cast(day as TIMESTAMP) >= "
        "'2020-01-02' and cast(day as TIMESTAMP) < '2020-01-03' TABLE `new`"
    )
    assert [r[2] for r in rows(warehouse, orders)] == ["a", "w"]
    outside = f"insert into {orders} by name replace where id > 5 select 1 as id"
    assert refused(warehouse, outside) == "DELTA_REPLACE_WHERE_MISMATCH"


def test_merge_updates_inserts_deletes_and_counts(warehouse: Warehouse, orders: str) -> None:
    done = warehouse.execute(
        f"merge into {orders} as DBT_INTERNAL_DEST using (select 2L as id, 'm' as v union all "
        "select 3L, 'i') as DBT_INTERNAL_SOURCE on DBT_INTERNAL_SOURCE.id <=> DBT_INTERNAL_DEST.id "
        "when matched then update set v = DBT_INTERNAL_SOURCE.v when not matched then insert "
        "(id, v) values (DBT_INTERNAL_SOURCE.id, DBT_INTERNAL_SOURCE.v) "
        "when not matched by source then delete"
    )
    assert done.to_pylist() == [{"num_affected_rows": 3}]
    assert [(r[0], r[2]) for r in rows(warehouse, orders)] == [(2, "m"), (3, "i")]


def test_merge_rejects_two_source_rows_for_one_target_row(
    warehouse: Warehouse, orders: str
) -> None:
    before = rows(warehouse, orders)
    refused(
        warehouse,
        f"merge into {orders} as t using (select 1L as id, 'x' as v union all select 1L, 'y') as s "
        "on t.id = s.id when matched then update set v = s.v",
    )
    assert rows(warehouse, orders) == before


def test_update_and_delete_count_their_rows(warehouse: Warehouse, orders: str) -> None:
    changed = warehouse.execute(f"update {orders} set v = 'z' where id = 1")
    gone = warehouse.execute(f"delete from {orders} where id in (2, 3)")
    none = warehouse.execute(f"delete from {orders} where id = 77")
    assert [t.to_pylist()[0]["num_affected_rows"] for t in (changed, gone, none)] == [1, 1, 0]
    assert [(r[0], r[2]) for r in rows(warehouse, orders)] == [(1, "z")]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into shop.s.orders values (null, null, 'n')",
        "insert into shop.s.orders values (200, null, 'too high')",
        "insert into shop.s.orders by name replace where v = 'a' select null as id, 'a' as v",
        "insert overwrite shop.s.orders select 200, null, null",
        "update shop.s.orders set id = 200 where id = 2",
        "merge into shop.s.orders t using (select 200L as id) as s on t.id = s.id "
        "when not matched then insert (id) values (s.id)",
        "merge into shop.s.orders t using (select 1L as id) as s on t.id = s.id "
        "when matched then update set id = null",
    ],
)
def test_not_null_and_check_apply_to_every_later_write(
    warehouse: Warehouse, orders: str, statement: str
) -> None:
    warehouse.execute(f"alter table {orders} add constraint low check (id < 100)")
    before, folder = (
        rows(warehouse, orders),
        warehouse.ledger.relation(("shop", "s", "orders")).folder,
    )
    assert refused(warehouse, statement) in (
        "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
        "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES",
    )
    assert rows(warehouse, orders) == before
    assert warehouse.ledger.relation(("shop", "s", "orders")).folder == folder


def test_check_rejects_null(warehouse: Warehouse, orders: str) -> None:
    warehouse.execute(f"alter table {orders} add constraint named check (v <> '')")
    assert "VIOLATE" in refused(warehouse, f"insert into {orders} by name select 3 as id")


def test_create_table_as_is_always_nullable(warehouse: Warehouse) -> None:
    warehouse.execute("create or replace table shop.s.literal as select 1 as one, 'x' as x")
    warehouse.execute("insert into shop.s.literal values (null, null)")
    assert warehouse.read("shop.s.literal").num_rows == 2


@pytest.mark.parametrize(
    "write",
    [
        "insert overwrite shop.s.big select id, {n} as n from range(20000)",
        "insert into shop.s.big by name replace where id >= 0 "
        "select id, {n} as n from range(20000)",
        "insert into shop.s.big as t replace on (t.id <=> new.id) "
        "(select id, {n} as n from range(20000)) as new",
        "create or replace table shop.s.big as select id, {n} as n from range(20000)",
        "merge into shop.s.big t using (select id, {n} as n from range(20000)) as s "
        "on t.id = s.id when matched then update set n = s.n",
    ],
)
def test_readers_see_the_old_or_the_new_rows_never_a_mix(warehouse: Warehouse, write: str) -> None:
    warehouse.execute("create or replace table shop.s.big as select id, 0 as n from range(20000)")
    seen: list[tuple[int, int, int]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = warehouse.execute("select count(*) c, min(n) a, max(n) b from shop.s.big")
            seen.append(tuple(found.to_pylist()[0].values()))

    reader = threading.Thread(target=read)
    reader.start()
    n = 0
    while n < 3 or (reader.is_alive() and len(seen) < 5):
        n += 1
        warehouse.execute(write.format(n=n))
    done.set()
    reader.join()
    assert all(count == 20000 and low == high for count, low, high in seen)
    assert warehouse.read("shop.s.big").num_rows == 20000


def test_writers_of_one_table_lose_no_row(warehouse: Warehouse) -> None:
    warehouse.execute("create or replace table shop.s.shared (n bigint)")
    threads = [
        threading.Thread(target=warehouse.execute, args=(f"insert into shop.s.shared select {n}",))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(warehouse.read("shop.s.shared").column("n").to_pylist()) == list(range(8))


def test_arrow_rows_round_trip(warehouse: Warehouse) -> None:
    loaded = pa.table(
        {
            "id": pa.array([1, None], pa.int64()),
            "at": pa.array([0, 86_400_000_000], pa.timestamp("us", tz="UTC")),
            "price": pa.array([1.5, None], pa.float64()),
        }
    )
    warehouse.load("shop.raw.loaded", loaded)
    warehouse.load("shop.raw.loaded", loaded.slice(0, 0))
    assert warehouse.read("shop.raw.loaded").equals(loaded)
