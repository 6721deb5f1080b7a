"""Client of a Databricks workspace: sign-in, and its errors as messages with a remedy."""

from __future__ import annotations

import argparse
import configparser
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from project.arguments import nonempty_text
from project.errors import UserError, require_extra
from project.targets import databricks_targets

if TYPE_CHECKING:
    # Importing the SDK takes as long as most local commands, so functions import it when needed.
    from databricks.sdk import WorkspaceClient

_PROBE_SECONDS: Final = 10
# How long the SDK retries on a broken connection or a busy workspace. Its default of 300 s is too
# long for a silent terminal.
_RETRY_SECONDS: Final = 60
_CREDENTIALS: Final = (
    "set DATABRICKS_HOST and DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and"
    " DATABRICKS_CLIENT_SECRET), or a profile in ~/.databrickscfg and DATABRICKS_CONFIG_PROFILE"
)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Declare `--target`, without a default: nothing must reach prod by omission."""
    parser.add_argument("--target", choices=databricks_targets(), required=True, help="environment")


def add_warehouse(parser: argparse.ArgumentParser) -> None:
    """Declare `--warehouse-id`, for what asks by SQL."""
    parser.add_argument(
        "--warehouse-id",
        type=nonempty_text,
        help="SQL warehouse to ask (default: that of DATABRICKS_HTTP_PATH)",
    )


def warehouse_id() -> str:
    """Return the id of the SQL warehouse in DATABRICKS_HTTP_PATH; UserError if it names none."""
    path = os.environ.get("DATABRICKS_HTTP_PATH", "").rstrip("/")
    if "/warehouses/" not in path:
        raise UserError(
            "DATABRICKS_HTTP_PATH names no SQL warehouse; set it as the warehouse's connection"
            " details show it, or pass --warehouse-id"
        )
    return path.rpartition("/")[2]


def connect() -> WorkspaceClient:
    """Sign in by databricks-sdk's unified authentication: environment, then profile.

    Raises UserError within seconds if credentials are missing or refused, or if the host cannot be
    reached or is not a workspace.
    """
    require_extra("databricks", "databricks.sdk")
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config
    from databricks.sdk.errors import NotFound
    from requests import JSONDecodeError

    # Warnings that matter come back as errors.
    logging.getLogger("databricks.sdk").setLevel(logging.ERROR)
    host = _configured_host()
    if host:
        _require_answer(host)
    try:
        client = WorkspaceClient(config=Config(retry_timeout_seconds=_RETRY_SECONDS))
    except ValueError as error:
        raise UserError(f"cannot sign in: {_reason(error)}; {_CREDENTIALS}") from error
    host = client.config.host
    with translate_errors(f"signing in to {host}", forbidden=_CREDENTIALS, missing=_CREDENTIALS):
        try:
            # The cheapest request that needs valid credentials and no privilege.
            client.current_user.me()
        except (NotFound, JSONDecodeError) as error:
            raise UserError(
                f"{host}: is not a Databricks workspace; set DATABRICKS_HOST to the address in the"
                " browser up to the first single slash"
            ) from error
    return client


def _configured_host() -> str | None:
    """Return the host that the SDK will use, or None if it is not configured."""
    if host := os.environ.get("DATABRICKS_HOST"):
        return host
    file = Path(os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser()
    profiles = configparser.ConfigParser(interpolation=None)
    try:
        profiles.read(file, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a valid profile file: {error}; correct it") from error
    default = profiles.get("__settings__", "default_profile", fallback="DEFAULT")
    profile = os.environ.get("DATABRICKS_CONFIG_PROFILE") or default or "DEFAULT"
    return profiles.get(profile, "host", fallback=None)


def _require_answer(host: str) -> None:
    """Fail early where the SDK would retry for minutes: its first request has its own timeout."""
    import requests

    url = host if "://" in host else f"https://{host}"
    try:
        requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=False)
    except (requests.RequestException, ValueError) as error:
        raise UserError(
            f"{host}: cannot be reached; check DATABRICKS_HOST (or the profile's host), the network"
            f" and the proxy ({error})"
        ) from error


@contextmanager
def translate_errors(place: str, *, forbidden: str, missing: str) -> Iterator[None]:
    """Translate errors of the workspace into UserError with `place` and a remedy.

    `forbidden` is the remedy for a missing privilege, `missing` that for a missing object.
    """
    from databricks.sdk.errors import NotFound, PermissionDenied, Unauthenticated
    from databricks.sdk.errors.base import DatabricksError
    from requests import RequestException

    try:
        yield
    except DatabricksError as error:
        # Databricks answers 403, not 401, to a personal token that is invalid or has expired.
        if isinstance(error, Unauthenticated) or (
            isinstance(error, PermissionDenied) and _is_about_credentials(str(error))
        ):
            remedy = (
                f"the credentials are invalid or have expired: create new ones, then {_CREDENTIALS}"
            )
        elif isinstance(error, PermissionDenied):
            remedy = forbidden
        elif isinstance(error, NotFound):
            remedy = missing
        else:
            remedy = "run again; if the error persists, ask an administrator of the workspace"
        raise UserError(f"{place}: {_reason(error)}; {remedy}") from error
    except (TimeoutError, RequestException) as error:
        cause = error.__cause__ or error
        raise UserError(
            f"{place}: the workspace stopped answering ({cause}); check the network, then run again"
        ) from error
    except ValueError as error:
        # This is how the SDK reports a refused client id or refresh token.
        raise UserError(
            f"{place}: {error}; run again; if the error persists, check the credentials"
        ) from error


def _reason(error: Exception) -> str:
    # The SDK appends its configuration, which hides the reason.
    return str(error).partition(". Config: ")[0].rstrip(".")


def _is_about_credentials(message: str) -> bool:
    return any(words in message.lower() for words in ("access token", "expir"))
