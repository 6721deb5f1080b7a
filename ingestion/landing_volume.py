"""The landing folder of a workspace: its contents, and the upload of one whole file.

The Files API has no move, so a file cannot be uploaded under a hidden name and renamed. It does not
need one: an object store shows a name only when all announced bytes have arrived (a single PUT) or
when the parts are combined (multipart), so Auto Loader never lists a partial file. For a less
strict store, a note outside the landing folder records each upload in progress and the file's size:
only a noted file with another size counts as a partial upload.
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

# A store accepts at most 10,000 parts: enough for files of 160 GB.
_PART_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class Contents:
    """Contents of the volume, by file name."""

    landed: dict[str, int]
    """Sizes in bytes."""
    begun: frozenset[tuple[str, int]]
    """Names and full sizes of files whose upload has begun and is not known to have finished."""

    def is_partial(self, name: str) -> bool:
        """Return whether the landed file of this name is a partial upload."""
        whole = {size for begun, size in self.begun if begun == name}
        return bool(whole) and self.landed[name] not in whole


class LandingVolume:
    """The volume `bronze_layer.raw_data` of a catalog; methods raise databricks-sdk's errors."""

    def __init__(self, client: WorkspaceClient, catalog: str) -> None:
        self.name = f"{catalog}.bronze_layer.raw_data"
        root = f"/Volumes/{catalog}/bronze_layer/raw_data"
        self.folder = f"{root}/landing"
        # Beside the landing folder: a note there would trigger the ingestion job.
        self._notes = f"{root}/_uploads"
        self._client = client

    def contents(self) -> Contents:
        """List the volume, and create its two folders if they are missing."""
        # Comes first, because its error names the catalog, schema or volume that is missing.
        self._client.volumes.read(self.name)
        for folder in (self.folder, self._notes):
            self._client.files.create_directory(folder)
        notes = (note.rpartition(".") for note in self._sizes(self._notes))
        begun = frozenset((name, int(size)) for name, _, size in notes if size.isdecimal())
        return Contents(self._sizes(self.folder), begun)

    def _note(self, name: str, size: int) -> str:
        return f"{self._notes}/{name}.{size}"

    def delete_note(self, name: str, size: int) -> None:
        """Delete the note of a file that has arrived whole."""
        self._client.files.delete(self._note(name, size))

    def _sizes(self, folder: str) -> dict[str, int]:
        entries = self._client.files.list_directory_contents(folder)
        return {
            str(entry.name): entry.file_size or 0 for entry in entries if not entry.is_directory
        }

    def put(
        self, path: Path, size: int, *, over_partial: bool, on_progress: Callable[[int], None]
    ) -> None:
        """Upload one file of `size` bytes in bounded memory and check the size that arrived.

        `on_progress` receives the position reached, and may raise to cancel. Raises UserError, and
        removes the file, if another size arrived; OSError if `path` cannot be read.
        """
        from databricks.sdk.errors import ResourceConflict

        files = self._client.files
        target = f"{self.folder}/{path.name}"
        with _Monitored(path, on_progress) as source:
            note = io.BytesIO(b"being uploaded to the landing folder\n")
            files.upload(self._note(path.name, size), note, overwrite=True)
            if over_partial:
                files.delete(target)
            try:
                # In one thread: a read error would leave the SDK's parallel upload hanging.
                files.upload(
                    target, source, overwrite=False, part_size=_PART_BYTES, use_parallel=False
                )
                is_ours = True
            except ResourceConflict:
                # The response to a first attempt was lost, or another user sent the same file.
                is_ours = False
        arrived = files.get_metadata(target).content_length
        if arrived != size and is_ours:
            files.delete(target)
        self.delete_note(path.name, size)
        if arrived != size:
            raise UserError(
                f"{path}: {arrived:,} bytes arrived in {target}, not {size:,}"
                + (
                    "; removed it; wait until the local file is complete, then run again"
                    if is_ours
                    else ""
                )
            )


class _Monitored(io.FileIO):
    """A file that reports how far it has been read."""

    def __init__(self, path: Path, on_progress: Callable[[int], None]) -> None:
        super().__init__(path)
        self._on_progress = on_progress

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self._on_progress(self.tell())
        return block or b""
