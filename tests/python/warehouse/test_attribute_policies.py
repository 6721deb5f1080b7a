"""Policies by tags on the loopback warehouse: what applies to whom, and what is refused."""

from collections.abc import Iterator

import pytest

from warehouse.errors import WarehouseError
from warehouse.server import Warehouse

pytestmark = pytest.mark.warehouse

PREPARED = (
    "create function shop.s.mask_id(id bigint) returns bigint language sql return"
    " case when is_account_group_member('scientists') then id end",
    "create function shop.s.hide(id bigint) returns bigint language sql return null",
    "create function shop.s.sees(segment string) returns boolean language sql return"
    " segment = 'vip'",
    "create function shop.s.sees_all(segment string) returns boolean language sql return true",
    "create table shop.s.users (id bigint, segment string)",
    "insert into shop.s.users values (1, 'vip'), (2, 'new')",
    "create view shop.s.all_users as select * from shop.s.users",
    "create materialized view shop.s.stored as select id, segment from shop.s.users",
    "grant use catalog on catalog shop to readers",
    "grant use schema on schema shop.s to readers",
    "grant select on schema shop.s to readers",
)
MASK = (
    "create policy ids on schema shop.s column mask shop.s.mask_id to `account users`"
    " except owners for tables match columns has_tag_value('personal', 'id') as c on column c"
)
FILTER = (
    "create policy segments on schema shop.s row filter shop.s.sees to `account users`"
    " except owners for tables match columns has_tag('rows_by') as s using columns (s)"
)
TAGS = (
    "alter table shop.s.users alter column id set tags ('personal' = 'id')",
    "alter table shop.s.users alter column segment set tags ('rows_by' = 'segment')",
)


@pytest.fixture(scope="module")
def built() -> Iterator[Warehouse]:
    people = {
        "pipeline": ["owners"],
        "steward": ["readers"],
        "scientist": ["scientists", "readers"],
        "analyst": ["readers"],
    }
    with Warehouse(["shop"], people) as running:
        running.create_schema("shop.s")
        for statement in PREPARED:
            running.execute(statement)
        running.govern_tag("personal", ["id", "text"], ["owners"])
        running.govern_tag("rows_by", ["segment"], ["owners"])
        yield running


@pytest.fixture
def shop(built: Warehouse) -> Iterator[Warehouse]:
    """A warehouse with a mask and a row filter by tags; its ledger is restored."""
    saved = built.ledger.save()
    for statement in (*TAGS, MASK, FILTER):
        built.execute(statement)
    yield built
    built.ledger.restore(saved, built.engine.root)


def seen(warehouse: Warehouse, who: str, table: str = "shop.s.users") -> list[tuple[object, ...]]:
    rows = warehouse.execute(f"select id, segment from {table}", who).to_pylist()
    return sorted((tuple(row.values()) for row in rows), key=str)


def refused(warehouse: Warehouse, statement: str, who: str = "pipeline") -> str:
    with pytest.raises(WarehouseError) as error:
        warehouse.execute(statement, who)
    return str(error.value)


READ = "select * from shop.s.users"


@pytest.mark.parametrize("table", ["shop.s.users", "shop.s.all_users"])
@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("pipeline", [(1, "vip"), (2, "new")]),
        ("scientist", [(1, "vip")]),
        ("analyst", [(None, "vip")]),
    ],
)
def test_policies_apply_to_the_reader_unless_excepted(
    shop: Warehouse, who: str, table: str, expected: list[object]
) -> None:
    assert seen(shop, who, table) == expected


def test_a_materialized_view_keeps_its_mask_over_refreshes(shop: Warehouse) -> None:
    shop.execute("alter table shop.s.stored alter column id set tags ('personal' = 'id')")
    for _ in range(2):
        assert seen(shop, "analyst", "shop.s.stored") == [(None, "new"), (None, "vip")]
        assert seen(shop, "pipeline", "shop.s.stored") == [(1, "vip"), (2, "new")]
        shop.execute("refresh materialized view shop.s.stored")


def test_what_is_refreshed_by_a_principal_that_policies_hold_for_stays_masked(
    shop: Warehouse,
) -> None:
    shop.execute(MASK.replace("create", "create or replace").replace(" except owners", ""))
    shop.execute("refresh materialized view shop.s.stored")
    assert shop.read("shop.s.stored")["id"].to_pylist() == [None, None]


def test_a_new_table_is_protected_by_its_tags(shop: Warehouse) -> None:
    shop.execute("create table shop.s.copied as select * from shop.s.users")
    assert len(seen(shop, "analyst", "shop.s.copied")) == 2
    shop.execute("alter table shop.s.copied alter column id set tags ('personal' = 'id')")
    assert seen(shop, "analyst", "shop.s.copied") == [(None, "new"), (None, "vip")]


@pytest.mark.parametrize(
    "change",
    [
        "alter table shop.s.users alter column id unset tags ('personal')",
        "alter table shop.s.users alter column id set tags ('personal' = 'text')",
        "drop policy ids on schema shop.s",
    ],
)
def test_without_its_tag_or_policy_a_column_is_clear(shop: Warehouse, change: str) -> None:
    shop.execute(change)
    assert seen(shop, "analyst") == [(1, "vip")]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            MASK.replace("ids", "other").replace("mask_id", "hide"),
            "COLUMN_MASKS_FEATURE_NOT_SUPPORTED.MULTIPLE_MASKS",
        ),
        (
            "alter table shop.s.users alter column id set mask shop.s.mask_id",
            "COLUMN_MASKS_FEATURE_NOT_SUPPORTED.MULTIPLE_MASKS",
        ),
        (
            FILTER.replace("segments", "other").replace("sees", "sees_all"),
            "UC_ABAC_MULTIPLE_ROW_FILTERS",
        ),
        (
            "alter table shop.s.users set row filter shop.s.sees_all on (segment)",
            "UC_ABAC_AND_NATIVE_ROW_FILTERS",
        ),
        (
            "alter table shop.s.users alter column id set tags ('rows_by' = 'segment')",
            "UC_ABAC_AMBIGUOUS_COLUMN_MATCH",
        ),
        ("drop governed tag rows_by", "UC_INVALID_POLICY_CONDITION"),
        ("drop function shop.s.mask_id", "UNRESOLVED_ROUTINE"),
    ],
)
def test_a_conflict_or_a_missing_part_blocks_readers(
    shop: Warehouse, change: str, error: str
) -> None:
    shop.govern_tag("rows_by", ["segment"], ["owners", "pipeline"])
    shop.execute(change)
    assert error in refused(shop, READ, "analyst")
    assert len(seen(shop, "pipeline")) == 2


def test_policies_with_the_same_effect_are_no_conflict(shop: Warehouse) -> None:
    shop.execute(MASK.replace("ids", "other"))
    assert seen(shop, "analyst") == [(None, "vip")]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (MASK, "POLICY_ALREADY_EXISTS"),
        (MASK.replace("ids", "b").replace("personal", "pii"), "Unknown tag policy key `pii`"),
        (MASK.replace("ids", "b").replace("mask_id", "absent"), "UNRESOLVED_ROUTINE"),
        (MASK.replace("ids", "b") + " using columns (c)", "requires 2 argument(s)"),
        (MASK.replace("ids", "b").replace("on column c", "on column d"), "alias d"),
        (MASK.replace("owners", "strangers"), "PRINCIPAL_DOES_NOT_EXIST"),
        (MASK.replace("schema shop.s ", "table shop.s.all_users "), "is a view"),
        (FILTER.replace("segments", "b").replace("sees", "mask_id"), "not boolean"),
        ("drop policy absent on schema shop.s", "POLICY_NOT_FOUND"),
        ("create governed tag personal values ('id')", "ALREADY_EXISTS"),
        (
            "alter table shop.s.users alter column id set tags ('personal' = 'true')",
            "Tag value true is not an allowed value for tag policy key personal",
        ),
        ("alter table shop.s.users drop column id", "has a governed tag"),
    ],
)
def test_refused_policies_and_tags(shop: Warehouse, statement: str, error: str) -> None:
    assert error in refused(shop, statement)


def test_who_may_tag_and_who_may_change_policies(shop: Warehouse) -> None:
    shop.execute("alter table shop.s.users owner to steward")
    untag = "alter table shop.s.users alter column id unset tags ('personal')"
    assert "ASSIGN on governed tag 'personal'" in refused(shop, untag, "steward")
    for statement in ("drop policy ids on schema shop.s", MASK.replace("ids", "b")):
        assert "INSUFFICIENT_PERMISSIONS" in refused(shop, statement, "steward")
    shop.execute("grant manage on schema shop.s to steward")
    assert "EXECUTE on Function" in refused(shop, MASK.replace("ids", "b"), "steward")
    shop.execute("drop policy ids on schema shop.s", "steward")


def test_policies_are_listed_where_they_are_and_where_they_apply(shop: Warehouse) -> None:
    own = shop.execute("show policies on table shop.s.users").to_pylist()
    assert own == []
    effective = shop.execute("show effective policies on table shop.s.users").to_pylist()
    assert [(p["Policy Name"], p["Policy Type"], p["Schema"], p["Table"]) for p in effective] == [
        ("ids", "COLUMN_MASK", "s", None),
        ("segments", "ROW_FILTER", "s", None),
    ]


def test_a_check_constraint_and_a_mask_exclude_each_other(shop: Warehouse) -> None:
    shop.execute("create table shop.s.checked (id bigint, constraint c check (id > 0))")
    mask = "alter table shop.s.checked alter column id set mask shop.s.mask_id"
    assert "COLUMN_MASKS_FEATURE_NOT_SUPPORTED.CHECK_CONSTRAINT" in refused(shop, mask)
