"""What the peers share: their rules, and the form in which they answer."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from project.variables import project_variables

# A longer pause ends a session.
GAP_SECONDS: Final[int] = project_variables()["session_gap_minutes"] * 60
# One row per day; sessions count on the day on which they start, and revenue is in cents.
DAY_COLUMNS: Final = ("event_date", "events", "views", "carts", "purchases", "revenue_cents",
                      "sessions", "session_seconds", "orders")  # fmt: skip

Days = list[tuple[Any, ...]]


class Steps:
    """Names, starts and ends (Unix seconds) of steps."""

    def __init__(self) -> None:
        self.times: list[tuple[str, float, float]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        start = time.time()
        yield
        self.times.append((name, start, time.time()))


def answer(run: Callable[[Path, Path, Steps], Days]) -> None:
    """Run a peer on the command line's folders; print its steps and days as the last line."""
    steps = Steps()
    days = run(Path(sys.argv[1]), Path(sys.argv[2]), steps)
    # No session starts on some days.
    rows = [[str(day), *(int(figure or 0) for figure in figures)] for day, *figures in days]
    print(json.dumps({"steps": steps.times, "days": sorted(rows)}))
