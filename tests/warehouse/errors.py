"""Errors of statements."""


class WarehouseError(Exception):
    """A rejected statement: Databricks' error class, and one line for the user."""

    def __init__(self, error_class: str, message: str, sqlstate: str = "42000") -> None:
        super().__init__(f"[{error_class}] {message} SQLSTATE: {sqlstate}")
        self.error_class = error_class
        self.sqlstate = sqlstate


def syntax_error(near: str, why: str = "") -> WarehouseError:
    """Return the error for text that the double cannot parse."""
    where = f"Syntax error at or near '{near}'" if near else "Syntax error at the end of the text"
    return WarehouseError("PARSE_SYNTAX_ERROR", f"{where}{': ' + why if why else ''}.", "42601")


def not_found(what: str, name: str) -> WarehouseError:
    """Return the error for a missing object; `what` is catalog, schema, table, function ..."""
    classes = {
        "catalog": ("NO_SUCH_CATALOG_EXCEPTION", "42704"),
        "schema": ("SCHEMA_NOT_FOUND", "42704"),
        "table": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        "column": ("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"),
        "function": ("UNRESOLVED_ROUTINE", "42883"),
        "volume": ("VOLUME_NOT_FOUND", "42704"),
        "governed tag": ("NOT_FOUND", "42704"),
        "external location": ("EXTERNAL_LOCATION_DOES_NOT_EXIST", "42704"),
    }
    error_class, state = classes[what]
    label = "table or view" if what == "table" else what
    return WarehouseError(error_class, f"The {label} {name} cannot be found.", state)


class TimeTravel(WarehouseError):
    """A table as it was, which the double does not keep; `parts` is its name."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        why = "Syntax error: time travel and samples are not supported by the double."
        super().__init__("PARSE_SYNTAX_ERROR", why, "42601")
        self.parts = parts
