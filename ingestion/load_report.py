"""What a loader run did with each landed file, and the exit code of the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingestion.discovery import Unread
from ingestion.file_load import IN_BRONZE, FileReport, Status
from project.errors import UserError


@dataclass(frozen=True)
class LoadReport:
    """One loader run, with its files in path order."""

    files: tuple[FileReport, ...]
    skipped: tuple[Unread, ...] = ()
    """What looks like data and was left out."""

    def count(self, *statuses: Status) -> int:
        """Count the files with one of the statuses."""
        return sum(file.status in statuses for file in self.files)


def print_report(report: LoadReport, data: Path) -> int:
    """Print the outcome for each file and return 0; UserError if none is in bronze."""
    for file in report.files:
        if file.status is not Status.ALREADY_LOADED:
            print(_line(file))
    for unread in report.skipped:
        print(f"skipped  {unread.path}: {unread.reason}")
    counts = {str(status): report.count(status) for status in Status}
    counts["skipped"] = len(report.skipped)
    print("files: " + ", ".join(f"{n} {status}" for status, n in counts.items() if n))
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
    parts.extend(text for text in (file.message, file.note) if text)
    return f"{file.status:<8} {file.path}: {'; '.join(parts)}"
