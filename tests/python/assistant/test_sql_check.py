"""Every way out of gold that could be thought of is refused before the engine sees it."""

from __future__ import annotations

import pytest

from assistant.sql_check import Checker, RefusedError

ONLY_A_SELECT = "only a select can run"
# Queries, and what the refusal says.
ESCAPES = {
    # Other statements than one select.
    "copy orders to '/tmp/stolen.csv'": ONLY_A_SELECT,
    "copy (select 1) to '/dev/stdout'": ONLY_A_SELECT,
    "attach '/tmp/other.duckdb' as other": ONLY_A_SELECT,
    "detach gold": ONLY_A_SELECT,
    "use memory": ONLY_A_SELECT,
    "install httpfs": ONLY_A_SELECT,
    "load httpfs": ONLY_A_SELECT,
    "pragma database_list": ONLY_A_SELECT,
    "call pragma_version()": ONLY_A_SELECT,
    "set lock_configuration = false": ONLY_A_SELECT,
    "reset memory_limit": ONLY_A_SELECT,
    "set variable x = 1": ONLY_A_SELECT,
    "drop table orders": ONLY_A_SELECT,
    "delete from orders": ONLY_A_SELECT,
    "update orders set revenue = 0": ONLY_A_SELECT,
    "insert into orders select * from orders": ONLY_A_SELECT,
    "create table mine as select 1": ONLY_A_SELECT,
    "create macro orders() as table select 1": ONLY_A_SELECT,
    "explain analyze copy orders to '/tmp/stolen.csv'": ONLY_A_SELECT,
    "explain select * from orders": ONLY_A_SELECT,
    "prepare p as select 1": ONLY_A_SELECT,
    "execute p": ONLY_A_SELECT,
    "export database '/tmp/stolen'": ONLY_A_SELECT,
    "checkpoint": ONLY_A_SELECT,
    "begin": ONLY_A_SELECT,
    "select 1; select 2": "2 statements",
    "select 1; drop table orders": ONLY_A_SELECT,
    "drop table orders; select 1": ONLY_A_SELECT,
    "/* select 1 */ drop table orders": ONLY_A_SELECT,
    "": "0 statements",
    "-- nothing": "0 statements",
    "with gone as (delete from orders returning *) select * from gone": "",
    # Other tables.
    "select * from silver_layer.sessions": "silver_layer.sessions is no table",
    "select * from sessions": "sessions is no table",
    "select * from bronze_layer.events_raw": "bronze_layer.events_raw is no table",
    "select * from ecommerce_analytics_local.silver_layer.sessions": "sessions is no table",
    "select * from gold.gold_layer.orders": "gold.gold_layer.orders is no table",
    'select * from "silver_layer"."sessions"': "silver_layer.sessions is no table",
    'select * from orders join "silver_layer.sessions" on true': "silver_layer.sessions is no",
    "select (select count(*) from silver_layer.sessions)": "silver_layer.sessions is no table",
    "select 1 where exists (from silver_layer.users_dim)": "silver_layer.users_dim is no table",
    "select * from orders order by (select 1 from silver_layer.sessions)": "is no table",
    "select 1 limit (select count(*) from silver_layer.sessions)": "is no table",
    "select 1 union all select 2 from silver_layer.sessions": "is no table",
    "select * from information_schema.tables": "information_schema.tables is no table",
    "select * from duckdb_settings": "duckdb_settings is no table",
    "select * from sqlite_master": "sqlite_master is no table",
    "select * from pg_catalog.pg_settings": "pg_catalog.pg_settings is no table",
    "describe orders": "use list_tables and describe_table",
    "show tables": "use list_tables and describe_table",
    "from (show databases)": "use list_tables and describe_table",
    "summarize silver_layer.sessions": "use list_tables and describe_table",
    # The name of a CTE where the CTE cannot be seen.
    "select * from (with sessions as (select 1) from sessions), sessions": "sessions is no table",
    "with a as (from sessions), sessions as (select 1) from a": "sessions is no table",
    "with sessions as (from sessions) from sessions": "sessions is no table",
    "with recursive sessions as (from sessions union all from sessions) from sessions": (
        "sessions is no table"
    ),
    "with sessions as (select 1) from silver_layer.sessions": "silver_layer.sessions is no table",
    # The Kelvin sign, whose lower case in Unicode is the k of `duckdb`.
    "with duc\u212adb_settings as (select 1) from duckdb_settings": "duckdb_settings is no table",
    "from \uff4frders": "\uff4frders is no table",
    "from ord\u00aders": "is no table",
    # Files and addresses.
    "select * from '/etc/passwd'": "/etc/passwd is no table",
    "select * from 'https://example.com/a.parquet'": "example.com/a.parquet is no table",
    'select * from "/etc/hosts.csv"': "/etc/hosts.csv is no table",
    "select * from read_csv('/etc/passwd')": "read_csv is not a table function",
    "select * from read_text('/etc/passwd')": "read_text is not a table function",
    "select * from read_blob('/etc/passwd')": "read_blob is not a table function",
    "select * from read_parquet('*.parquet')": "read_parquet is not a table function",
    "select * from parquet_scan('x')": "parquet_scan is not a table function",
    "select * from read_json('x')": "read_json is not a table function",
    "select * from glob('/*')": "glob is not a table function",
    "select * from sniff_csv('/etc/passwd')": "sniff_csv is not a table function",
    "from orders, lateral (from read_csv(main_brand))": "read_csv is not a table function",
    # SQL in a text, settings, the environment, the catalog.
    "select * from query('select 1')": "query is not a table function",
    "select * from query_table('silver_layer.sessions')": "query_table is not a table function",
    "select * from json_execute_serialized_sql('x')": "is not a table function",
    "select * from duckdb_settings()": "duckdb_settings is not a table function",
    "select * from duckdb_secrets()": "duckdb_secrets is not a table function",
    "select * from duckdb_databases()": "duckdb_databases is not a table function",
    "select * from duckdb_logs()": "duckdb_logs is not a table function",
    "select * from pragma_database_list()": "pragma_database_list is not a table function",
    "select * from seq_scan('sessions')": "seq_scan is not a table function",
    "select * from main.range(3)": "main.range is not a table function",
    "select current_setting('home_directory')": "current_setting is not a function",
    "select getenv('HOME')": "getenv is not a function",
    "select main.getenv('HOME')": "main.getenv is not a function",
    "select getvariable('x')": "getvariable is not a function",
    "select current_database()": "current_database is not a function",
    "select version()": "version is not a function",
    "select json_serialize_sql('select 1')": "json_serialize_sql is not a function",
    "select json_serialize_plan('from sessions')": "json_serialize_plan is not a function",
    "select nextval('s')": "nextval is not a function",
    "select pg_get_viewdef(1)": "pg_get_viewdef is not a function",
    "select write_log('x')": "write_log is not a function",
    "select sleep_ms(1000000)": "sleep_ms is not a function",
    "select 1 from orders having max(getenv('HOME')) is null": "getenv is not a function",
    "select list_transform([1], lambda x: getenv('HOME'))": "getenv is not a function",
    "select sum(revenue) over (order by getenv('HOME')) from orders": "getenv is not a function",
    "select ? from orders": "PARAMETER may not be used",
    "select $1": "PARAMETER may not be used",
    # Texts that are no query.
    "select '\ud800'": "cannot be parsed",
    "select from where": "cannot be parsed",
    "select " + "(" * 5_000 + "1" + ")" * 5_000: "cannot be parsed",
    "select " + "1 + " * 900 + "1": "nested too deeply",
    "select " + "1 + " * 10_000 + "1": "40,008 characters, more than 20,000; shorten it",
}
# What looks like one and is none, with the functions and parts of SQL that analysts use.
ALLOWED = [
    "from orders",
    "SELECT sum(o.revenue) FROM Gold_Layer.Orders AS o -- a comment; drop table orders",
    "from orders select sum(revenue);",
    "with a as (from orders), b as (from a) select * from b, a",
    "with sessions as (from orders) select * from sessions",
    "with orders as (select 1) select * from orders",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9) from n",
    "select row_number() over (partition by main_brand order by revenue desc) as place from orders"
    " qualify place = 1 order by all limit 10 offset 5",
    "select lag(revenue) over w from orders window w as (order by order_date)",
    "select date_trunc('week', order_date), count(*) filter (where is_first_order),"
    " quantile_cont(revenue, 0.5), approx_count_distinct(main_brand) from orders group by all",
    "select * exclude (session_id) replace (revenue / 2 as revenue) from orders",
    "select columns('rev.*') from orders",
    "select unnest([1, 2]), x from generate_series(1, 3) as t(x)",
    "select o.*, p.x from orders as o left join (values (1, 'a')) as p(x, y) using (x)",
    "select list_transform([1, 2], lambda x: x + 1)",
    "select case when revenue > 0 and main_brand ilike 'a%' then 1 else 0 end from orders",
    "select main_brand in ('a', 'b') or order_date between date '2020-01-01' and current_date"
    " from orders where exists (select 1 from orders as o where o.revenue is null)",
    "select revenue::double, try_cast('1' as decimal(5, 2)), interval 1 day + order_date"
    " from orders",
    "select 1 union all select 2 except select 3",
    "select distinct on (main_brand) * from orders using sample 10 rows",
    "from (pivot orders on main_brand in ('a') using sum(revenue))",
    "from (unpivot orders on revenue, units)",
    "select * from orders asof join orders as o on orders.order_date >= o.order_date",
    "select extract(year from order_date), coalesce(main_brand, '(none)') from orders",
    "select regexp_replace(main_brand, 'a', 'b'), main_brand[1:2], {'a': 1}.a from orders",
]


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker(["orders", "customer_metrics"])


@pytest.mark.parametrize("sql", ESCAPES, ids=lambda sql: repr(sql[:50]))
def test_every_escape_is_refused(checker: Checker, sql: str) -> None:
    with pytest.raises(RefusedError) as refused:
        checker.check(sql)
    assert ESCAPES[sql] in str(refused.value)


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_select_is_allowed(checker: Checker, sql: str) -> None:
    checker.check(sql)
