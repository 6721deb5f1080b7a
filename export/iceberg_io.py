"""Files of Iceberg tables in a folder that has another path later."""

from __future__ import annotations

from typing import Final

from pyiceberg.io import InputFile, OutputFile
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

FOLDER: Final = "export.folder"
"""Property: where the files are."""
TARGET: Final = "export.target"
"""Property: where they are by what the tables say."""


class FolderIO(PyArrowFileIO):
    """Reads and writes files of the target in the folder."""

    def new_input(self, location: str) -> PyArrowFile:
        """Return a file to read, which keeps its place in the target as its name."""
        return _named(super().new_input(self._path(location)), location)

    def new_output(self, location: str) -> PyArrowFile:
        """Return a file to write, which keeps its place in the target as its name."""
        return _named(super().new_output(self._path(location)), location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file."""
        name = location if isinstance(location, str) else location.location
        super().delete(self._path(name))

    def _path(self, location: str) -> str:
        path = location.removeprefix("file://")
        within = path.removeprefix(self.properties[TARGET])
        return path if within == path else self.properties[FOLDER] + within


def _named(file: PyArrowFile, location: str) -> PyArrowFile:
    file._location = location
    return file
