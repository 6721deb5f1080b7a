"""Live governance: the catalog's information_schema, through a SQL warehouse, and its policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from governance import state
from governance.state import Item, State
from project.errors import UserError, reason
from workspace.client import translate_errors
from workspace.statements import Warehouse

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.catalog import PolicyInfo

# Kind of object: view of its privileges, parts of its name, view and column of its owner.
_PRIVILEGES: Final = {
    "catalog": ("catalog_privileges", ("catalog_name",), "catalogs", "catalog_owner"),
    "schema": ("schema_privileges", ("catalog_name", "schema_name"), "schemata", "schema_owner"),
    "volume": (
        "volume_privileges",
        ("volume_catalog", "volume_schema", "volume_name"),
        "volumes",
        "volume_owner",
    ),
    "table": (
        "table_privileges",
        ("table_catalog", "table_schema", "table_name"),
        "tables",
        "table_owner",
    ),
}


class Catalog:
    """The information_schema and the policies of one catalog, as far as the caller may see them."""

    def __init__(self, client: WorkspaceClient, warehouse_id: str, catalog: str) -> None:
        self._client = client
        self._warehouse = Warehouse(client, warehouse_id)
        self._catalog = catalog

    def state(self) -> State:
        """Return everything in force in the catalog; UserError if it cannot be read."""
        return dict(
            [
                *self._grants(),
                *self._masks(),
                *self._row_filters(),
                *self._tags(),
                *self._policies(),
            ]
        )

    def _grants(self) -> Iterator[tuple[Item, str]]:
        for kind, (privileges, path, objects, owner) in _PRIVILEGES.items():
            joined = " and ".join(f"o.{column} = p.{column}" for column in path)
            # An inherited grant is listed where it was made.
            rows = self._rows(
                f"select {', '.join(f'p.{column}' for column in path)}, p.grantee,"
                f" p.privilege_type, coalesce(o.{owner}, '')"
                f" from {{schema}}.{privileges} as p"
                f" left join {{schema}}.{objects} as o on {joined}"
                f" where p.{path[0]} = '{self._catalog}' and p.inherited_from = 'NONE'"
            )
            for *names, grantee, privilege, owned_by in rows:
                # Databricks lets all users read this schema, in every catalog.
                if "information_schema" in names:
                    continue
                place = ".".join(names if kind == "catalog" else names[1:])
                yield state.grant(f"{kind} {place}", grantee, privilege, owned_by)

    def _masks(self) -> Iterator[tuple[Item, str]]:
        # These are the names that dbt-databricks uses; the documentation has others.
        for schema, table, column, function, using in self._rows(
            "select table_schema, table_name, column_name, mask_name, coalesce(using_columns, '')"
            " from {schema}.column_masks"
        ):
            yield state.mask(f"{schema}.{table}.{column}", function, _split(using))

    def _row_filters(self) -> Iterator[tuple[Item, str]]:
        for schema, table, function, columns in self._rows(
            "select table_schema, table_name, filter_name, coalesce(target_columns, '')"
            " from {schema}.row_filters"
        ):
            yield state.row_filter(f"{schema}.{table}", function, _split(columns))

    def _tags(self) -> Iterator[tuple[Item, str]]:
        for schema, table, column, name, value in self._rows(
            "select schema_name, table_name, column_name, tag_name, coalesce(tag_value, '')"
            " from {schema}.column_tags"
        ):
            yield state.tag(f"{schema}.{table}.{column}", name, value)

    def _policies(self) -> Iterator[tuple[Item, str]]:
        # Those of single tables are left out: they can only hide more, or block.
        schemas = [name for (name,) in self._rows("select schema_name from {schema}.schemata")]
        places = {f"catalog {self._catalog}": ("CATALOG", self._catalog)} | {
            f"schema {schema}": ("SCHEMA", f"{self._catalog}.{schema}")
            for schema in schemas
            if schema != "information_schema"
        }
        for place, (kind, name) in places.items():
            with translate_errors(
                f"policies of {place}",
                forbidden=f"sign in as its owner, or with MANAGE on {name}",
                missing="deploy the bundle",
            ):
                found = list(self._client.policies.list_policies(kind, name))
            for policy in found:
                yield _policy(place, policy)

    def _rows(self, statement: str) -> list[list[str]]:
        schema = f"`{self._catalog}`.information_schema"
        result = self._warehouse.run(statement.replace("{schema}", schema))
        if result.error:
            raise UserError(
                f"{schema}: {reason(result.error)}; deploy the bundle, and sign in as the"
                " owner of the catalog and its tables"
            )
        return [[value or "" for value in row] for row in result.rows]


def _policy(place: str, policy: PolicyInfo) -> tuple[Item, str]:
    conditions = {m.alias: m.condition or "" for m in policy.match_columns or []}
    options = policy.column_mask or policy.row_filter
    aliases = [policy.column_mask.on_column] if policy.column_mask else []
    arguments = [conditions.get(alias, alias) for alias in aliases]
    for argument in (options.using if options else None) or []:
        arguments.append(
            conditions.get(argument.alias, argument.alias)
            if argument.alias
            else str(argument.constant)
        )
    return state.policy(
        place,
        policy.name or "",
        "column_mask" if policy.column_mask else "row_filter" if policy.row_filter else "other",
        options.function_name if options else "",
        arguments,
        policy.to_principals,
        policy.except_principals or [],
        policy.when_condition or "",
    )


def _split(columns: str) -> list[str]:
    return [column for column in columns.split(",") if column.strip()]
