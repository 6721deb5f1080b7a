"""Chromium of Debian's packages, driven by playwright; installed here where that is possible."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from support.prerequisites import missing

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Chromium; without it skip the test, or fail where CI has to have it."""
    program = _program() or _installed()
    if program is None:
        missing("Chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


def _program() -> str | None:
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def _installed() -> str | None:
    """Install Debian's package, which takes root; None where that fails."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    quiet = {"DEBIAN_FRONTEND": "noninteractive", **os.environ}
    with Path("/tmp/chromium_install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["update", "-qq"], ["install", "-qq", "--yes", "chromium"]):
            subprocess.run(
                ["apt-get", *command], env=quiet, capture_output=True, check=False, timeout=400
            )
    return _program()
