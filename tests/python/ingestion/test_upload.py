"""Uploads over HTTP into a workspace.

minilake answers for catalogs, schemas, volumes (missing ones too), folders, files, listings and
sizes. Rules in this file answer for missing privileges, refused tokens, a store that keeps half a
file or loses a byte, a lost response, the multipart protocol, and a host that is not a workspace.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from ecommerce import cli
from project.home import CHECKOUT
from support.event_files import write_zip
from support.workspace_double import (
    LANDING,
    NOTES,
    Call,
    Workspace,
    environment_for,
    set_environment,
)

pytestmark = pytest.mark.workspace


def write_files(folder: Path, count: int = 3) -> dict[str, bytes]:
    files = {f"events_{day}.csv": f"day {day}\n".encode() * 5_000 for day in range(count)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files


def upload(*arguments: object, target: str = "dev") -> int:
    return cli.main(["upload", "--target", target, *(str(argument) for argument in arguments)])


def puts(workspace: Workspace) -> list[str]:
    """Return the names of the files uploaded to the landing folder."""
    start = f"PUT /api/2.0/fs/files{LANDING}/"
    return sorted(call.removeprefix(start) for call in workspace.calls if call.startswith(start))


def is_put(call: Call, name: str = "") -> bool:
    return call.method == "PUT" and call.path.startswith(f"/api/2.0/fs/files{LANDING}/{name}")


def test_files_arrive_byte_for_byte(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_files(tmp_path)
    (tmp_path / "deeper").mkdir()
    files["a name, 50% ü.csv.gz"] = gzip.compress(bytes(range(256)) * 999)
    (tmp_path / "deeper" / "a name, 50% ü.csv.gz").write_bytes(files["a name, 50% ü.csv.gz"])
    (tmp_path / "_unfinished.csv").write_text("not yet")
    assert upload(tmp_path) == 0
    assert workspace.stored() == files
    assert workspace.stored(NOTES) == {}
    printed = capsys.readouterr()
    assert f"files: 4 uploaded, 1 skipped; in {LANDING}\n" in printed.out
    assert f"uploaded {tmp_path}/events_0.csv: 30,000 bytes in " in printed.out
    assert "%|" not in printed.err, "a progress bar, although this is not a terminal"


def test_progress_is_shown_on_a_terminal(workspace: Workspace, tmp_path: Path) -> None:
    write_files(tmp_path)
    ours, terminal = pty.openpty()
    # Rows, columns, and two sizes in pixels: a bar needs room.
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "ecommerce", "upload", "--target", "dev", str(tmp_path)]
    environment = environment_for(workspace.url)
    subprocess.run(command, cwd=CHECKOUT, env=environment, stderr=terminal, check=True)
    os.close(terminal)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "upload:   0%|" in shown
    assert "upload: 100%|" in shown
    assert "90.0k/90.0k" in shown


def test_several_files_are_uploaded_in_parallel(workspace: Workspace, tmp_path: Path) -> None:
    files = write_files(tmp_path, count=4)
    two_requests = threading.Barrier(2)

    def meet(call: Call) -> bool:
        try:
            if is_put(call):
                two_requests.wait(timeout=5)
        except threading.BrokenBarrierError:
            call.refuse(400, "BAD_REQUEST", "no second request came")
            return True
        return False

    workspace.rules.append(meet)
    assert upload(tmp_path, "--jobs", 2) == 0
    assert workspace.stored() == files


def test_second_run_uploads_only_missing_files(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_files(tmp_path)
    assert upload(tmp_path) == 0
    workspace.calls.clear()
    assert upload(tmp_path) == 0
    assert puts(workspace) == []
    assert f"files: 3 already there; in {LANDING}\n" in capsys.readouterr().out
    workspace.client().files.delete(f"{LANDING}/events_1.csv")
    assert upload(tmp_path) == 0
    assert puts(workspace) == ["events_1.csv"]
    assert workspace.stored() == files


def test_other_file_of_the_same_name_is_refused_and_the_rest_is_uploaded(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_files(tmp_path)
    workspace.store(f"{LANDING}/events_1.csv", b"another user's")
    assert upload(tmp_path) == 2
    assert workspace.stored() == files | {"events_1.csv": b"another user's"}
    printed = capsys.readouterr()
    assert f"refused  {tmp_path}/events_1.csv: " in printed.out
    assert "with 14 bytes, this one has 30,000" in printed.out
    assert "land new data under a new name" in printed.out
    assert "error: 1 of 3 files refused" in printed.err


def test_only_files_that_can_be_loaded_are_uploaded(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_files(tmp_path, count=1)
    archive = write_zip(tmp_path / "archive.zip", {"a.csv": b"1\n", "b.csv": b"2\n"})
    files["archive.zip"] = archive.read_bytes()
    write_zip(tmp_path / "empty.zip", {})
    (tmp_path / "packed.csv").write_bytes(gzip.compress(b"1\n"))
    (tmp_path / "table.tsv").write_bytes(b"1\n")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path.parent / "nameless")
    (tmp_path.parent / "nameless").write_bytes(b"1\n")
    assert upload(tmp_path) == 2
    assert workspace.stored() == files
    printed = capsys.readouterr()
    for line in (
        f"refused  {tmp_path}/packed.csv: is a gzip file, not text; rename it",
        f"refused  {tmp_path}/empty.zip: holds no .csv file",
        f"refused  {tmp_path.parent}/nameless: is the target of a link",
        f"skipped  {tmp_path}/table.tsv: is separated by tabs",
        f"skipped  {tmp_path}/pipe.csv: is a pipe, not a file",
    ):
        assert line in printed.out
    assert f"files: 2 uploaded, 3 refused, 2 skipped; in {LANDING}\n" in printed.out
    assert "error: 3 of 5 files refused" in printed.err


@pytest.mark.parametrize("keeps", [0, 10_000], ids=["strict_store", "store_keeps_half"])
def test_next_upload_completes_a_killed_one(
    workspace: Workspace, tmp_path: Path, keeps: int
) -> None:
    files = write_files(tmp_path)
    has_begun, gone = threading.Event(), threading.Event()

    def half(call: Call) -> bool:
        if not is_put(call, "events_1.csv"):
            return False
        received = call.read(keeps)
        has_begun.set()
        call.wait_until_client_is_gone()
        if keeps:
            workspace.store(f"{LANDING}/events_1.csv", received)
        gone.set()
        return True

    # Larger than a connection's buffers, so that the kill hits the transfer.
    files["events_1.csv"] = b"0,1,2\n" * 5_000_000
    (tmp_path / "events_1.csv").write_bytes(files["events_1.csv"])
    workspace.rules.append(half)
    command = [sys.executable, "-m", "ecommerce", "upload", "--target", "dev", str(tmp_path)]
    child = subprocess.Popen(command, cwd=CHECKOUT, env=environment_for(workspace.url))
    assert has_begun.wait(timeout=30)
    child.kill()
    child.wait()
    assert gone.wait(timeout=30)
    left = workspace.stored().get("events_1.csv", b"")
    assert len(left) == keeps
    assert "events_1.csv.30000000" in workspace.stored(NOTES)

    workspace.rules.clear()
    assert upload(tmp_path) == 0
    assert workspace.stored() == files
    assert workspace.stored(NOTES) == {}


def test_changed_file_is_not_taken_for_a_partial_upload(
    workspace: Workspace, tmp_path: Path
) -> None:
    # The upload was killed after the last byte, before its note was deleted.
    workspace.store(f"{LANDING}/events_0.csv", b"loaded")
    workspace.store(f"{NOTES}/events_0.csv.6", b"being uploaded")
    write_files(tmp_path, count=1)
    assert upload(tmp_path) == 2
    assert workspace.stored() == {"events_0.csv": b"loaded"}


def test_control_c_stops_a_slow_upload(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "slow.csv").write_bytes(b"0,1,2\n" * 5_000_000)
    has_begun = threading.Event()

    def slow(call: Call) -> bool:
        if not is_put(call):
            return False
        while call.read(50_000):
            has_begun.set()
            time.sleep(0.01)
        return True

    workspace.rules.append(slow)
    child = subprocess.Popen(
        [sys.executable, "-m", "ecommerce", "upload", "--target", "dev", str(tmp_path)],
        cwd=CHECKOUT,
        env=environment_for(workspace.url),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert has_begun.wait(timeout=30)
    child.send_signal(signal.SIGINT)
    _, error = child.communicate(timeout=30)
    assert (child.returncode, error) == (130, "interrupted; run again to continue\n")
    assert workspace.stored() == {}


def test_file_that_arrives_truncated_is_removed(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path, count=1)

    def lose(call: Call) -> bool:
        if is_put(call):
            workspace.forward(call, call.read()[:-1])
            return True
        return False

    workspace.rules.append(lose)
    assert upload(tmp_path) == 2
    assert workspace.stored() == {}
    assert "29,999 bytes arrived in" in capsys.readouterr().err


def test_lost_response_is_not_a_conflict(workspace: Workspace, tmp_path: Path) -> None:
    files = write_files(tmp_path, count=1)
    lost: list[str] = []

    def lose_the_first_answer(call: Call) -> bool:
        if is_put(call) and not lost:
            lost.append(call.path)
            workspace.store(call.path.removeprefix("/api/2.0/fs/files"), call.read())
            # Without a number of seconds the SDK waits for one more.
            later = {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}
            call.answer(503, later, {"Retry-After": "0"})
            return True
        return False

    workspace.rules.append(lose_the_first_answer)
    assert upload(tmp_path) == 0
    assert puts(workspace) == ["events_0.csv"] * 2
    assert workspace.stored() == files


def test_file_that_another_user_lands_meanwhile_is_kept(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path, count=1)

    def land_before(call: Call) -> bool:
        if is_put(call):
            workspace.store(f"{LANDING}/events_0.csv", b"another user's")
        return False

    workspace.rules.append(land_before)
    assert upload(tmp_path) == 2
    assert workspace.stored() == {"events_0.csv": b"another user's"}
    assert "14 bytes arrived in" in capsys.readouterr().err


class PartStore:
    """The multipart protocol: presigned URLs on the same server, parts joined on completion."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.parts: dict[int, bytes] = {}

    def __call__(self, call: Call) -> bool:
        action = call.query.get("action")
        if action == "initiate-upload":
            call.answer(200, {"multipart_upload": {"session_token": "s1"}})
        elif call.path == "/api/2.0/fs/create-upload-part-urls":
            call.read()
            number = len(self.parts) + 1
            url = f"{self.workspace.url}/presigned/{number}"
            call.answer(200, {"upload_part_urls": [{"url": url, "part_number": number}]})
        elif call.path.startswith("/presigned/"):
            number = int(call.path.rsplit("/", 1)[1])
            self.parts[number] = call.read()
            call.answer(200, headers={"ETag": f"e{number}"})
        elif action == "complete-upload":
            call.read()
            whole = b"".join(self.parts[number] for number in sorted(self.parts))
            self.workspace.store(call.path.removeprefix("/api/2.0/fs/files"), whole)
            call.answer(200)
        else:
            return False
        return True


def test_large_file_is_uploaded_in_parts(workspace: Workspace, tmp_path: Path) -> None:
    # The SDK uploads files of 50 MiB and more in parts.
    content = b"0123456789abcdef" * (52 << 16)
    (tmp_path / "large.csv").write_bytes(content)
    store = PartStore(workspace)
    workspace.rules.append(store)
    assert upload(tmp_path) == 0
    assert [len(part) >> 20 for part in store.parts.values()] == [16, 16, 16, 4]
    assert workspace.stored() == {"large.csv": content}


@pytest.mark.parametrize(
    ("status", "error_code", "message"),
    [(403, 403, "Invalid access token."), (401, "UNAUTHENTICATED", "Credential was not sent")],
)
def test_expired_token(
    workspace: Workspace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    error_code: str | int,
    message: str,
) -> None:
    write_files(tmp_path)

    def refuse(call: Call) -> bool:
        if call.path.startswith("/api/"):
            call.refuse(status, error_code, message)
            return True
        return False

    workspace.rules.append(refuse)
    assert upload(tmp_path) == 2
    error = capsys.readouterr().err
    assert message.rstrip(".") in error
    assert "DATABRICKS_TOKEN" in error
    assert error.count("\n") == 1
    assert workspace.stored() == {}


def test_token_that_expires_during_the_upload(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_files(tmp_path)

    def expire(call: Call) -> bool:
        if is_put(call, "events_1.csv"):
            call.refuse(403, 403, "Token is expiring within 30 seconds. (token expired)")
            return True
        return False

    workspace.rules.append(expire)
    assert upload(tmp_path, "--jobs", 1) == 2
    assert "the credentials are invalid or have expired" in capsys.readouterr().err
    assert "events_0.csv" in workspace.stored()
    workspace.rules.clear()
    assert upload(tmp_path) == 0
    assert workspace.stored() == files


def test_refused_client_secret(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_files(tmp_path)
    endpoints = {"authorization_endpoint": "/none", "token_endpoint": f"{workspace.url}/token"}

    def refuse(call: Call) -> bool:
        if call.path.endswith("/databricks-config"):
            call.answer(200, {"oidc_endpoint": f"{workspace.url}/oidc"})
        elif call.path.endswith("/oauth-authorization-server"):
            call.answer(200, endpoints)
        elif call.path == "/token":
            call.read()
            call.answer(401, {"error": "invalid_client", "error_description": "wrong secret"})
        else:
            return False
        return True

    workspace.rules.append(refuse)
    more = {"DATABRICKS_CLIENT_ID": "pipeline", "DATABRICKS_CLIENT_SECRET": "x"}
    environment = environment_for(workspace.url, **more)
    del environment["DATABRICKS_TOKEN"]
    set_environment(monkeypatch, environment)
    assert upload(tmp_path) == 2
    error = capsys.readouterr().err
    assert f"signing in to {workspace.url}: invalid_client" in error
    assert "check the credentials" in error


def test_no_permission(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)

    def refuse(call: Call) -> bool:
        if call.method == "PUT":
            name = "ecommerce_analytics_dev.bronze_layer.raw_data"
            message = f"User does not have WRITE VOLUME on Volume '{name}'."
            call.refuse(403, "PERMISSION_DENIED", message)
            return True
        return False

    workspace.rules.append(refuse)
    assert upload(tmp_path) == 2
    error = capsys.readouterr().err
    assert "User does not have WRITE VOLUME" in error
    assert "ask an owner of the catalog for READ VOLUME and WRITE VOLUME" in error
    assert "TOKEN" not in error


def test_missing_volume(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)
    assert upload(tmp_path, target="staging") == 2
    error = capsys.readouterr().err
    assert "ecommerce_analytics_staging" in error
    assert "databricks bundle deploy --target staging" in error
    assert not any(call.startswith("PUT") for call in workspace.calls)


def test_files_go_to_the_catalog_that_the_bundle_is_given(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_files(tmp_path)
    monkeypatch.setenv("BUNDLE_VAR_catalog", "shop_of_ada")
    assert upload(tmp_path) == 2
    assert "shop_of_ada" in capsys.readouterr().err
    assert not any(call.startswith("PUT") for call in workspace.calls)


def test_unreachable_host_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)
    for host in ("http://127.0.0.1:9", "https://workspace.invalid", "127.0.0.1:9"):
        set_environment(monkeypatch, environment_for(host))
        start = time.monotonic()
        assert upload(tmp_path) == 2
        assert time.monotonic() - start < 15
        error = capsys.readouterr().err
        assert f"{host}: cannot be reached; check DATABRICKS_HOST" in error


def test_host_of_a_profile_is_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)
    file = tmp_path / "databrickscfg"
    file.write_text("[DEFAULT]\nhost = http://127.0.0.1:9\n[shop]\nhost = http://127.0.0.1:10\n")
    more = {"DATABRICKS_CONFIG_FILE": str(file)}
    set_environment(monkeypatch, environment_for(None, **more))
    assert upload(tmp_path) == 2
    assert "http://127.0.0.1:9: cannot be reached" in capsys.readouterr().err
    set_environment(monkeypatch, environment_for(None, DATABRICKS_CONFIG_PROFILE="shop", **more))
    assert upload(tmp_path) == 2
    assert "http://127.0.0.1:10: cannot be reached" in capsys.readouterr().err


def test_profile_signs_in(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_files(tmp_path)
    file = tmp_path / "databrickscfg"
    file.write_text(f"[shop]\nhost = {workspace.url}\ntoken = dapi-for-tests\n")
    more = {"DATABRICKS_CONFIG_FILE": str(file), "DATABRICKS_CONFIG_PROFILE": "shop"}
    set_environment(monkeypatch, environment_for(None, **more))
    assert upload(tmp_path) == 0
    assert workspace.stored() == files


def test_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)
    set_environment(monkeypatch, environment_for(None))
    assert upload(tmp_path) == 2
    assert "set DATABRICKS_HOST and DATABRICKS_TOKEN" in capsys.readouterr().err


@pytest.mark.parametrize("status", [404, 200])
def test_host_that_is_not_a_workspace(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    write_files(tmp_path)

    def another_site(call: Call) -> bool:
        call.answer(status, b"<html>shop</html>", {"Content-Type": "text/html"})
        return True

    workspace.rules.append(another_site)
    assert upload(tmp_path) == 2
    assert "is not a Databricks workspace" in capsys.readouterr().err


def test_file_that_vanishes(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)

    def remove(call: Call) -> bool:
        (tmp_path / "events_2.csv").unlink(missing_ok=True)
        return False

    workspace.rules.append(remove)
    assert upload(tmp_path) == 2
    assert f"{tmp_path}/events_2.csv: cannot be read" in capsys.readouterr().err
    assert "events_2.csv" not in workspace.stored()


def test_names_that_the_landing_folder_cannot_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "events_0.csv").write_text("x")
    (tmp_path / "_hidden.csv").write_text("x")
    write_files(tmp_path, count=1)
    assert upload(tmp_path) == 2
    assert "2 files named events_0.csv" in capsys.readouterr().err
    assert upload(tmp_path / "_hidden.csv") == 2
    assert "Auto Loader skips names" in capsys.readouterr().err


def test_other_commands_do_not_import_the_sdk() -> None:
    code = (
        "import sys, ecommerce.cli as c; c.build_parser(); print('databricks.sdk' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert result.stdout == "False\n"
