"""DuckDB for the browser: fetched once from the npm registry, checked by pinned hashes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from project.errors import UserError, reason

PACKAGES: Final = ("@duckdb/duckdb-wasm@1.32.0", "apache-arrow@17.0.0")
# (package, file in it) by the name on the site, with the file's SHA-256.
_FILES: Final = {
    "duckdb-eh.wasm": (
        "duckdb-duckdb-wasm-1.32.0.tgz",
        "package/dist/duckdb-eh.wasm",
        "4c221bfa59c11f24dbd750e70c90b9252eca6eec5633936e6a2ec766e55fd879",
    ),
    "duckdb-browser-eh.worker.js": (
        "duckdb-duckdb-wasm-1.32.0.tgz",
        "package/dist/duckdb-browser-eh.worker.js",
        "f8ab72b6b90b3ad83077d47426d4a99d5d9a4c7e07cba1a2be37d655adc7c1ab",
    ),
    "duckdb-browser.mjs": (
        "duckdb-duckdb-wasm-1.32.0.tgz",
        "package/dist/duckdb-browser.mjs",
        "4f8c0bb3c23d1ec457a451cc27418597b9a40dd772cceacc436a2cb7b9a49c18",
    ),
    "arrow.js": (
        "apache-arrow-17.0.0.tgz",
        "package/Arrow.es2015.min.js",
        "375fb7c891e25677c021e585d4ec51a5752112b182f41d51071b8401e590379e",
    ),
}
_WITHOUT: Final = "the dashboard is complete without its SQL page"


def files(folder: Path) -> list[Path]:
    """Return the files if all are in the folder, else none."""
    found = [folder / name for name in _FILES]
    return found if all(file.is_file() for file in found) else []


def fetch(folder: Path) -> None:
    """Fetch the files into the folder by `npm pack`, which follows the user's configuration of npm.

    Nothing is fetched if they are there. Raises UserError without npm, without a registry that
    answers, and for a file that is not the one that was tried.
    """
    if files(folder):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"npm is missing: install Node.js, then run again; {_WITHOUT}")
    with TemporaryDirectory() as place:
        packed = subprocess.run(
            [npm, "pack", *PACKAGES, "--ignore-scripts", "--pack-destination", place],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if packed.returncode:
            why = reason(packed.stderr)[-300:]
            raise UserError(f"npm cannot fetch {' and '.join(PACKAGES)}: {why}; {_WITHOUT}")
        contents = {
            name: _checked(Path(place, archive), member, expected)
            for name, (archive, member, expected) in _FILES.items()
        }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        new = folder / f".{name}.new"
        new.write_bytes(content)
        new.replace(folder / name)


def _checked(archive: Path, member: str, expected: str) -> bytes:
    try:
        with tarfile.open(archive) as opened:
            file = opened.extractfile(member)
            content = file.read() if file else b""
    except (OSError, KeyError, tarfile.TarError) as error:
        raise UserError(f"{archive.name}: has no {member}: {reason(error)}; {_WITHOUT}") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise UserError(
            f"{archive.name}: {member} is not the file that was tried (its hash differs); get the"
            f" package from another registry, then run again; {_WITHOUT}"
        )
    return content
