"""DDL of the loopback warehouse: supported and rejected statements, and the metadata after."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from warehouse.errors import WarehouseError
from warehouse.server import Warehouse
from warehouse.sql_text import table_references

pytestmark = pytest.mark.warehouse

CREATE = """
create or replace table `shop`.`s`.`customers`
  (
      `id` bigint NOT NULL COMMENT 'the customer\\'s number',
      `email` string COMMENT 'personal' MASK shop.s.hide USING COLUMNS (region),
      `region` string,
      `spent` decimal(18, 2),
      CONSTRAINT pk_customers PRIMARY KEY (`id`) RELY
  )
  using delta
  partitioned by (region)
  WITH ROW FILTER `shop`.`s`.`sees` ON (`region`)
  comment 'It\\'s ours'
  tblproperties ('delta.enableChangeDataFeed' = 'true' , 'a.b' = 'c'
    )
"""


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    with Warehouse(["shop", "other"], {"pipeline": [], "reader": []}) as running:
        running.create_schema("shop.s")
        running.create_external_location("landing")
        running.execute(
            "create function shop.s.hide(email string, region string) returns string "
            "return case when region = 'x' then email end"
        )
        running.execute(
            "create function shop.s.sees(r string) returns boolean return r is not null"
        )
        yield running


@pytest.fixture
def customers(warehouse: Warehouse) -> str:
    warehouse.execute(CREATE)
    return "shop.s.customers"


def refused(warehouse: Warehouse, statement: str) -> str:
    with pytest.raises(WarehouseError) as error:
        warehouse.execute(statement, catalog="shop")
    return str(error.value)


def found(warehouse: Warehouse, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = warehouse.execute(query).to_pylist()
    return rows


def of_table(warehouse: Warehouse, name: str, table: str = "customers") -> list[dict[str, Any]]:
    view = f"`shop`.`information_schema`.`{name}`"
    return found(warehouse, f"select * from {view} where table_name = '{table}'")


def test_create_table_with_every_clause_can_be_read_back(
    warehouse: Warehouse, customers: str
) -> None:
    (table,) = of_table(warehouse, "tables")
    assert (table["table_type"], table["comment"]) == ("MANAGED", "It's ours")
    assert (table["data_source_format"], table["table_owner"]) == ("DELTA", "pipeline")
    columns = {c["column_name"]: c for c in of_table(warehouse, "columns")}
    assert list(columns) == ["id", "email", "region", "spent"]
    assert columns["id"]["is_nullable"] == "NO"
    assert columns["id"]["comment"] == "the customer's number"
    assert columns["spent"]["full_data_type"] == "decimal(18,2)"
    (mask,) = of_table(warehouse, "column_masks")
    assert (mask["column_name"], mask["mask_name"]) == ("email", "shop.s.hide")
    assert mask["using_columns"] == "region"
    (row_filter,) = of_table(warehouse, "row_filters")
    assert (row_filter["filter_name"], row_filter["target_columns"]) == ("shop.s.sees", "region")
    (key,) = of_table(warehouse, "key_column_usage")
    assert (key["constraint_name"], key["column_name"]) == ("pk_customers", "id")
    properties = found(warehouse, f"show tblproperties {customers}")
    assert {"key": "a.b", "value": "c"} in properties


def test_describe_as_json_has_types_policies_and_keys(warehouse: Warehouse, customers: str) -> None:
    (row,) = found(warehouse, f"DESCRIBE TABLE EXTENDED {customers} AS JSON")
    facts = json.loads(row["json_metadata"])
    assert facts["columns"][3]["type"] == {"name": "decimal", "precision": 18, "scale": 2}
    assert facts["row_filter"]["column_names"] == ["region"]
    assert facts["column_masks"][0]["function_name"]["function_name"] == "hide"
    assert "PRIMARY KEY (`id`) RELY" in facts["table_constraints"]


def test_alterations_can_be_read_back(warehouse: Warehouse, customers: str) -> None:
    for change in (
        "set tags ('layer' = 'gold', 'pii' = 'yes')",
        "unset tags ('pii')",
        "alter column `email` set tags ('personal' = 'true')",
        "change column `region` set not null",
        "alter column `region` comment 'where'",
        "set tblproperties ('x' = '1')",
        "unset tblproperties ('a.b')",
        "cluster by (id, region)",
        "alter column email drop mask",
        "drop row filter",
        "add constraint spent_is_positive check (spent >= 0)",
        "alter column spent type decimal(20, 2)",
        "add columns (added timestamp comment 'new', more string)",
        "drop columns (more)",
        "set owner to reader",
    ):
        warehouse.execute(f"alter table {customers} {change};")
    assert [(t["tag_name"], t["tag_value"]) for t in of_table(warehouse, "table_tags")] == [
        ("layer", "gold")
    ]
    assert [t["column_name"] for t in of_table(warehouse, "column_tags")] == ["email"]
    columns = {c["column_name"]: c for c in of_table(warehouse, "columns")}
    assert columns["region"]["comment"] == "where" and columns["region"]["is_nullable"] == "NO"
    assert columns["spent"]["full_data_type"] == "decimal(20,2)"
    assert columns["added"]["comment"] == "new" and "more" not in columns
    assert of_table(warehouse, "column_masks") == of_table(warehouse, "row_filters") == []
    properties = {p["key"]: p["value"] for p in found(warehouse, f"show tblproperties {customers}")}
    assert properties["clusteringColumns"] == '[["id"],["region"]]'
    assert properties["delta.constraints.spent_is_positive"] == "spent >= 0"
    assert "a.b" not in properties and properties["x"] == "1"
    assert of_table(warehouse, "tables")[0]["table_owner"] == "reader"
    warehouse.execute(f"alter table {customers} set owner to pipeline")


def test_comments_are_read_back_and_removed(warehouse: Warehouse, customers: str) -> None:
    warehouse.execute(f"comment on table {customers} is 'new'")
    warehouse.execute(f"COMMENT ON COLUMN {customers}.`email` IS 'mail'")
    warehouse.execute("comment on schema shop.s is 'all of it'")
    extended = {
        r["col_name"]: r["data_type"] for r in found(warehouse, f"describe extended {customers}")
    }
    assert extended["Comment"] == "new"
    assert of_table(warehouse, "columns")[1]["comment"] == "mail"
    warehouse.execute(f"comment on table {customers} is null")
    assert of_table(warehouse, "tables")[0]["comment"] is None


def test_foreign_keys_are_readable_by_the_adapters_query(
    warehouse: Warehouse, customers: str
) -> None:
    warehouse.execute(
        "create or replace table shop.s.orders (id bigint not null, customer bigint, "
        "constraint fk foreign key (customer) references shop.s.customers (id) rely)"
    )
    rows = found(
        warehouse,
        "select kcu.column_name c, ukcu.table_name t, ukcu.column_name u "
        "from `shop`.information_schema.key_column_usage kcu "
        "join `shop`.information_schema.referential_constraints rc "
        "on kcu.constraint_name = rc.constraint_name "
        "join `shop`.information_schema.key_column_usage ukcu "
        "on rc.unique_constraint_name = ukcu.constraint_name where kcu.table_name = 'orders'",
    )
    assert rows == [{"c": "customer", "t": "customers", "u": "id"}]
    assert "FOREIGN_KEY_MISMATCH" in refused(
        warehouse, "alter table shop.s.orders add foreign key (id) references shop.s.orders (id)"
    )


def test_grants_are_listed_with_inherited_ones(warehouse: Warehouse, customers: str) -> None:
    warehouse.execute("create volume if not exists shop.s.raw comment 'files'")
    for grant in (
        "use catalog on catalog shop",
        "use schema, create table on schema shop.s",
        f"select on table {customers}",
        "read volume, write volume on volume shop.s.raw",
        "execute on function shop.s.hide",
        "read files on external location landing",
    ):
        warehouse.execute(f"grant {grant} to `reader`")
    listed = found(warehouse, f"show grants on {customers}")
    assert {
        "Principal": "reader",
        "ActionType": "SELECT",
        "ObjectType": "TABLE",
        "ObjectKey": "shop.s.customers",
    } in listed
    assert {r["ObjectType"] for r in listed} == {"TABLE", "SCHEMA", "CATALOG"}
    (privilege,) = found(
        warehouse,
        "select * from system.information_schema.table_privileges where table_name = 'customers' "
        "and inherited_from = 'NONE'",
    )
    assert (privilege["grantee"], privilege["privilege_type"]) == ("reader", "SELECT")
    (volume,) = found(
        warehouse,
        "select grantee, privilege_type p from shop.information_schema.volume_privileges "
        "where inherited_from = 'NONE' and privilege_type like 'READ%'",
    )
    assert volume == {"grantee": "reader", "p": "READ_VOLUME"}
    warehouse.execute(f"revoke select on {customers} from `reader`")
    left = found(warehouse, f"show grants reader on table {customers}")
    assert {r["ObjectType"] for r in left} == {"SCHEMA", "CATALOG"}


def test_views_keep_columns_comments_and_their_own_short_names(warehouse: Warehouse) -> None:
    session = warehouse.session(warehouse.ledger.principal("pipeline"), "shop", "s")
    session.execute("create or replace table plain as select 1 as id, 'x' as name")
    session.execute(
        "create or replace view seen (id comment 'number', label) comment 'a view' "
        "tblproperties ('k' = 'v') as (select id, name from plain)"
    )
    assert found(warehouse, "select seen.label from shop.s.seen") == [{"label": "x"}]
    assert of_table(warehouse, "columns", "seen")[0]["comment"] == "number"
    assert "plain" in of_table(warehouse, "views", "seen")[0]["view_definition"]
    session.execute("alter view seen as (select 2 as two)")
    assert found(warehouse, "select * from shop.s.seen") == [{"two": 2}]
    session.execute("alter view shop.s.seen rename to shop.s.looked")
    assert found(warehouse, "show views in shop.s like 'look*'")[0]["viewName"] == "looked"
    assert "drop it first" in refused(warehouse, "create or replace table shop.s.looked (id int)")


def test_rename_back_and_forth_replaces_a_table(warehouse: Warehouse) -> None:
    warehouse.execute("create or replace table shop.s.t as select 'old' as v")
    warehouse.execute("create or replace table shop.s.t__dbt_stg as select 'new' as v")
    warehouse.execute("ALTER TABLE `shop`.`s`.`t` RENAME TO `t__dbt_backup`")
    assert "TABLE_OR_VIEW_NOT_FOUND" in refused(warehouse, "select * from shop.s.t")
    warehouse.execute("ALTER TABLE `shop`.`s`.`t__dbt_stg` RENAME TO `shop`.`s`.`t`")
    warehouse.execute("drop table if exists shop.s.t__dbt_backup")
    assert found(warehouse, "select * from shop.s.t") == [{"v": "new"}]
    assert [r["tableName"] for r in found(warehouse, "show tables in shop.s like 't*'")] == ["t"]


def schedule(warehouse: Warehouse) -> str:
    rows = found(warehouse, "describe extended shop.s.total")
    return str(next(r["data_type"] for r in rows if r["col_name"] == "Refresh Schedule"))


def test_materialized_view_has_the_rows_of_its_last_refresh(warehouse: Warehouse) -> None:
    warehouse.execute("create or replace table shop.s.base as select 1 as n")
    warehouse.execute(
        "create or replace materialized view shop.s.total (n bigint comment 'sum') "
        "comment 'mv' schedule every 1 HOURS as select sum(n) as n from shop.s.base"
    )
    warehouse.execute("insert into shop.s.base values (2)")
    assert found(warehouse, "select n from shop.s.total") == [{"n": 1}]
    warehouse.execute("refresh materialized view shop.s.total")
    assert found(warehouse, "select n from shop.s.total") == [{"n": 3}]
    assert "cannot be written" in refused(warehouse, "insert into shop.s.total values (9)")
    assert of_table(warehouse, "tables", "total")[0]["table_type"] == "MATERIALIZED_VIEW"
    assert schedule(warehouse) == "EVERY 1 HOURS"
    for change, expected in (
        ("alter schedule cron '0 0 * * * ?'", "CRON '0 0 * * * ?' AT TIME ZONE 'Etc/UTC'"),
        (
            "alter trigger on update at most every interval 2 MINUTES",
            "TRIGGER ON UPDATE AT MOST EVERY INTERVAL 120 SECOND",
        ),
        ("drop schedule", "MANUAL"),
    ):
        warehouse.execute(f"alter materialized view shop.s.total {change}")
        assert schedule(warehouse) == expected
    warehouse.execute("drop materialized view if exists shop.s.total")


def test_streaming_table_reads_the_files_of_a_volume(warehouse: Warehouse) -> None:
    stream = (
        "create or refresh streaming table shop.s.landed comment 'raw' as select *, "
        "_metadata.file_path as source from stream read_files('/Volumes/shop/s/drop/in/', "
        "format => 'csv', header => true)"
    )
    assert "VOLUME_NOT_FOUND" in refused(warehouse, stream)
    warehouse.land("/Volumes/shop/s/drop/in/a.csv", pa.table({"n": [1, 2]}))
    warehouse.execute(stream)
    warehouse.land("/Volumes/shop/s/drop/in/b.csv", pa.table({"n": [3]}))
    assert sorted(r["n"] for r in found(warehouse, "select * from shop.s.landed")) == [1, 2]
    for _ in range(2):
        warehouse.execute("refresh streaming table shop.s.landed")
    rows = found(warehouse, "select n, source from shop.s.landed order by n")
    # Each file once, however often the table is refreshed.
    assert [(r["n"], r["source"][-5:]) for r in rows] == [
        (1, "a.csv"),
        (2, "a.csv"),
        (3, "b.csv"),
    ]
    warehouse.execute("refresh streaming table shop.s.landed full")
    assert [r["n"] for r in found(warehouse, "select n from shop.s.landed")] == [3]
    assert "STREAM" in refused(warehouse, "create streaming table shop.s.st as select 1 as one")
    assert of_table(warehouse, "tables", "landed")[0]["table_type"] == "STREAMING_TABLE"
    assert "PATH_NOT_FOUND" in refused(
        warehouse, "select * from read_files('/Volumes/shop/s/drop/x')"
    )
    warehouse.execute("drop table shop.s.landed")


@pytest.mark.parametrize(
    ("statement", "near"),
    [
        ("explode everything", "explode"),
        ("create table shop.s.n (id bigint) using parquet", "parquet"),
        ("create table shop.s.n (id bigint) location '/tmp/x'", "location"),
        ("create table shop.s.n (id bigint default 1)", "default"),
        ("create table shop.s.n (id bigint generated always as identity)", "generated"),
        ("create table shop.s.n (id bigint) stored as orc", "stored"),
        ("create table shop.s.n (id bigint) comment 'a' comment 'b'", "'b'"),
        ("create table shop.s.n shallow clone shop.s.m", "shallow"),
        ("create view shop.s.n with metrics language yaml as $$x$$", "with"),
        ("create temporary function f() returns int return 1", "function"),
        ("create function shop.s.n(a int) returns int language python as $$x$$", "language"),
        ("alter table shop.s.customers set location 'x'", "set"),
        ("alter table shop.s.customers alter column id set default 1", "set"),
        ("alter schema shop.s enable predictive optimization", "enable"),
        ("insert into shop.s.customers partition (region = 'x') select 1", "partition"),
        ("merge with schema evolution into shop.s.customers t using shop.s.b s on true", "with"),
        ("select * from shop.s.customers tablesample (1 rows)", "tablesample"),
        ("select * from shop.s.customers tablesample (10 percent)", "tablesample"),
        ("show create table shop.s.customers", "create"),
        ("optimize shop.s.customers where region = 'x'", "where"),
        ("refresh table shop.s.customers", "end"),
        ("use role admin", "admin"),
        ("reset spark.x", "reset"),
        ("select 'open", "'open"),
        ("select (1", "end"),
        ("drop table shop.s.customers purge", "purge"),
    ],
)
def test_unsupported_syntax_is_rejected_by_name(
    warehouse: Warehouse, customers: str, statement: str, near: str
) -> None:
    message = refused(warehouse, statement)
    assert message.startswith("[PARSE_SYNTAX_ERROR]") or "cannot be refreshed" in message
    assert near.lower() in message.lower()


@pytest.mark.parametrize("moment", ["version as of 1", "timestamp as of '2020-01-01'"])
def test_time_travel_is_rejected(warehouse: Warehouse, moment: str) -> None:
    warehouse.execute("create or replace table shop.s.plain (id bigint)")
    message = refused(warehouse, f"select * from shop.s.plain {moment}")
    assert message.startswith("[PARSE_SYNTAX_ERROR]") and "time travel" in message


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("select * from nowhere.s.t", "NO_SUCH_CATALOG_EXCEPTION"),
        ("select * from shop.nowhere.t", "SCHEMA_NOT_FOUND"),
        ("select * from shop.s.nothing", "TABLE_OR_VIEW_NOT_FOUND"),
        ("create table nowhere.s.t (id int)", "NO_SUCH_CATALOG_EXCEPTION"),
        ("create table shop.nowhere.t (id int)", "SCHEMA_NOT_FOUND"),
        ("create schema nowhere.s", "NO_SUCH_CATALOG_EXCEPTION"),
        ("insert into shop.s.nothing values (1)", "TABLE_OR_VIEW_NOT_FOUND"),
        ("drop table shop.s.nothing", "TABLE_OR_VIEW_NOT_FOUND"),
        ("drop view shop.s.customers", "WRONG_COMMAND_FOR_OBJECT_TYPE"),
        ("create table shop.s.customers (id int)", "TABLE_OR_VIEW_ALREADY_EXISTS"),
        ("create table shop.s.n (id int, ID string)", "COLUMN_ALREADY_EXISTS"),
        ("create table shop.s.n as select null as nothing", "UNSUPPORTED_DATATYPE"),
        ("create table shop.s.n (a int, constraint k primary key (b))", "UNRESOLVED_COLUMN"),
        ("create table shop.s.n (a int) cluster by (b)", "UNRESOLVED_COLUMN"),
        ("alter table shop.s.customers add constraint k primary key (email)", "PRIMARY_KEY"),
        ("alter table shop.s.customers drop constraint absent", "CONSTRAINT_DOES_NOT_EXIST"),
        ("alter table shop.s.customers drop column region", "COLUMN_IN_USE"),
        ("alter table shop.s.customers add constraint c check (spent + 1)", "NON_BOOLEAN"),
        ("drop schema shop.s", "SCHEMA_NOT_EMPTY"),
        ("select absent_function(1)", "ENGINE_ERROR"),
        ("select shop.s.absent(1)", "UNRESOLVED_ROUTINE"),
        ("select shop.s.sees(1, 2)", "WRONG_NUM_ARGS"),
        ("create function shop.s.n(a int) returns int return b", "ENGINE_ERROR"),
        ("select * from shop.information_schema.constraint_table_usage", "not supported"),
    ],
)
def test_errors_have_the_class_of_databricks(
    warehouse: Warehouse, customers: str, statement: str, error: str
) -> None:
    assert error in refused(warehouse, statement)


def test_a_failed_replace_leaves_the_table_unchanged(warehouse: Warehouse, customers: str) -> None:
    before = warehouse.ledger.relation(("shop", "s", "customers"))
    refused(warehouse, f"create or replace table {customers} as select cast('x' as int) as a")
    assert warehouse.ledger.relation(("shop", "s", "customers")) is before


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("select 1 from a, b.c x, (select * from d) e", ["a", "b.c", "d"]),
        ("with a as (select * from a), b (x) as (select 1 from a) select * from a, b", ["a"]),
        ("select extract(year from t), trim(both ' ' from u) from v", ["v"]),
        ("select a is distinct from b from t", ["t"]),
        ("select * from t left join lateral (select 1 from u) on true", ["t", "u"]),
        ("select * from explode(array(1)) join t using (a, b)", ["t"]),
        ("select (select max(x) from t), 'from u' /* from w */ from v -- from z", ["t", "v"]),
        ("select 1 union all table t union all select 2 from u", ["t", "u"]),
        (
            "select * from (a join b on true) join c on true where x in (select y from d)",
            ["a", "b", "c", "d"],
        ),
        ("select * from t lateral view explode(x) e as y, u", ["t", "u"]),
        ("select sum(a) filter (where b) over (partition by c order by d) from t", ["t"]),
        ("from t select *", ["t"]),
        ("values (1), (2)", []),
    ],
)
def test_tables_that_a_query_reads(query: str, tables: list[str]) -> None:
    assert sorted(".".join(r.parts) for r in table_references(query)) == sorted(tables)
