"""The landing folder of a workspace: what it holds, and how one file gets there whole.

The Files API has no move, so a file cannot be sent under a hidden name and renamed. What it has is
enough: an object store shows a name once all the announced bytes are there (a single PUT) or once
the parts are put together (multipart), so Auto Loader never lists half a file. For a store that is
less strict, a note outside the landing folder tells which files were on their way, and how large
they are: only a file that is noted, but has another size, is taken for the remnant of an upload.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from project.errors import UserError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

# A store takes 10,000 parts at most: enough for files of 160 GB.
_PART_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class Contents:
    """What stands in the volume, by name."""

    landed: dict[str, int]
    """Sizes in bytes."""
    begun: frozenset[tuple[str, int]]
    """Names and whole sizes of the files whose upload has begun and is not known to have ended."""

    def is_remnant(self, name: str) -> bool:
        """Whether the landed file of this name is a part of one that was on its way."""
        whole = {size for begun, size in self.begun if begun == name}
        return bool(whole) and self.landed[name] not in whole


class LandingVolume:
    """The volume `bronze_layer.raw_data` of a catalog; methods raise what databricks-sdk raises."""

    def __init__(self, client: WorkspaceClient, catalog: str) -> None:
        self.name = f"{catalog}.bronze_layer.raw_data"
        root = f"/Volumes/{catalog}/bronze_layer/raw_data"
        self.folder = f"{root}/landing"
        # Beside the landing folder: a note there would trigger the ingestion job.
        self._notes = f"{root}/_uploads"
        self._client = client

    def contents(self) -> Contents:
        """List the volume; makes the two folders where they are missing."""
        # Asked first, because this answer names the catalog, schema or volume that is missing.
        self._client.volumes.read(self.name)
        for folder in (self.folder, self._notes):
            self._client.files.create_directory(folder)
        notes = (note.rpartition(".") for note in self._sizes(self._notes))
        begun = frozenset((name, int(size)) for name, _, size in notes if size.isdecimal())
        return Contents(self._sizes(self.folder), begun)

    def _note(self, name: str, size: int) -> str:
        return f"{self._notes}/{name}.{size}"

    def forget(self, name: str, size: int) -> None:
        """Take back the note of a file that is there whole."""
        self._client.files.delete(self._note(name, size))

    def _sizes(self, folder: str) -> dict[str, int]:
        entries = self._client.files.list_directory_contents(folder)
        return {
            str(entry.name): entry.file_size or 0 for entry in entries if not entry.is_directory
        }

    def put(
        self, path: Path, size: int, *, over_remnant: bool, moved: Callable[[int], None]
    ) -> None:
        """Upload one file of `size` bytes in bounded memory and check the size that arrived.

        `moved` is told the position reached, and may raise to give up. Raises UserError if
        another size arrived, and then the file is not left there; OSError if `path` cannot be read.
        """
        from databricks.sdk.errors import ResourceConflict

        files = self._client.files
        target = f"{self.folder}/{path.name}"
        with _Watched(path, moved) as source:
            note = io.BytesIO(b"on its way into the landing folder\n")
            files.upload(self._note(path.name, size), note, overwrite=True)
            if over_remnant:
                files.delete(target)
            try:
                # In one thread: a reading error would leave the SDK's parallel upload hanging.
                files.upload(
                    target, source, overwrite=False, part_size=_PART_BYTES, use_parallel=False
                )
                ours = True
            except ResourceConflict:
                # The answer to a first attempt was lost, or somebody else sent the same file.
                ours = False
        arrived = files.get_metadata(target).content_length
        if arrived != size and ours:
            files.delete(target)
        self.forget(path.name, size)
        if arrived != size:
            raise UserError(
                f"{path}: {arrived:,} bytes are in {target}, not {size:,}"
                + (
                    "; removed there; wait until the file is written, then run again"
                    if ours
                    else ""
                )
            )


class _Watched(io.FileIO):
    """A file that tells how far it is read."""

    def __init__(self, path: Path, moved: Callable[[int], None]) -> None:
        super().__init__(path)
        self._moved = moved

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self._moved(self.tell())
        return block or b""
