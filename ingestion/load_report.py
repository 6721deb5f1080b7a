"""What a loader run did with each landed file, and the exit code of the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ingestion.file_load import IN_BRONZE, FileReport, Status
from project.errors import UserError
from project.output import show


@dataclass(frozen=True)
class LoadReport:
    """One loader run, with its files in path order."""

    files: tuple[FileReport, ...]

    def count(self, *statuses: Status) -> int:
        """Count the files with one of the statuses."""
        return sum(file.status in statuses for file in self.files)


def print_report(report: LoadReport, data: Path) -> int:
    """Print the outcome for each file and return 0; UserError if none is in bronze."""
    for file in report.files:
        if file.status is not Status.ALREADY_LOADED:
            show(_line(file))
    counts = Counter(file.status for file in report.files)
    show("files: " + ", ".join(f"{counts[s]} {s}" for s in Status if counts[s]))
    if not report.count(*IN_BRONZE):
        raise UserError(f"{data}: none of its files could be loaded; reasons above")
    return 0


def _line(file: FileReport) -> str:
    parts = []
    if file.status is Status.LOADED:
        # A stream reads files in parallel, so only the local loader knows the time of each.
        parts.append(f"{file.rows:,} rows" + (f" in {file.seconds:.1f} s" if file.seconds else ""))
    if file.rows_with_rescued_data:
        parts.append(f"{file.rows_with_rescued_data:,} with rescued data")
    if file.message:
        parts.append(file.message)
    return f"{file.status:<8} {file.path}: {'; '.join(parts)}"
