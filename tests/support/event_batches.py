"""Hand-made events in batches, for every case of an incremental build."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from ingestion.event_schema import PUBLISHED_COLUMN_NAMES


def line(
    time: str,
    event_type: str = "view",
    *,
    product: int = 1,
    code: str = "electronics.smartphone",
    brand: str = "apple",
    price: str = "100.00",
    user: int = 1,
    session: str = "s1",
) -> str:
    return f"{time} UTC,{event_type},{product},20,{code},{brand},{price},{user},{session}"


def repeat_buyers(number: int) -> list[str]:
    """Return orders of buyers who follow the lifetime value model, enough to fit it."""
    draw = random.Random(1)
    lines = []
    for user in range(1000, 1000 + number):
        rate, leaves = draw.gammavariate(1.5, 0.15), draw.betavariate(0.5, 0.7)
        spends = draw.gauss(4, 0.6)
        day, is_alive = draw.randint(1, 15), True
        while day <= 31 and is_alive:
            time, price = f"2019-10-{day:02d} 12:00:00", draw.lognormvariate(spends, 0.3)
            session = f"r{user}-{day}"
            lines.append(line(time, "purchase", user=user, session=session, price=f"{price:.2f}"))
            day += 1 + int(draw.expovariate(rate))
            is_alive = draw.random() > leaves
    return lines


def views_before(orders: Iterable[str]) -> list[str]:
    """Return a view in the same tracker session some minutes before each order of a repeat buyer.

    Loaded after the orders, they are late and change all that is stored of these sessions.
    """
    return [order.replace("12:00:00 UTC,purchase", "11:50:00 UTC,view") for order in orders]


def write(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([",".join(PUBLISHED_COLUMN_NAMES), *lines]) + "\n"
    file.write_text(text, encoding="utf-8")


FIRST = [
    line("2019-10-01 10:00:00"),
    line("2019-10-01 10:10:00", "cart"),
    line("2019-10-01 11:00:00", "purchase"),
    line("2019-10-02 09:00:00", user=2, session="s2", product=2, brand="", code=""),
    line("2019-10-02 09:00:01", "purchase", user=2, session="s2", product=2, brand="", code=""),
    # Continues after midnight, in the second batch.
    line("2019-10-03 23:55:00", user=3, session="s3"),
    line("2019-10-03 12:00:00", "cart", user=4, session="shared", product=3, price="7.77"),
    line("2019-10-03 12:00:00", "cart", user=4, session="shared", product=3, price="7.77"),
    line("2019-10-05 08:00:00", "purchase", user=5, session="s5", price="19.99"),
    line("not a time", user=6, session="s6"),
]
# A first build with only quarantined rows: its watermarks are null.
NOTHING = [line("2019-10-01 10:00:00", "purchase", price="0.00")]
SECOND = [
    line("2019-10-04 00:05:00", "cart", user=3, session="s3"),
    line("2019-10-04 00:06:00", "purchase", user=3, session="s3", price="120.00"),
    # A duplicate of an event in the first file, and one within this file in another spelling.
    line("2019-10-01 10:10:00", "cart"),
    line("2019-10-06 10:00:00", "view", user=7, session="s7", product=4),
    line("2019-10-06 10:00:00", "VIEW", user=7, session="s7", product=4, brand=" Apple "),
    line("2019-10-06 11:00:00", "purchase", user=7, session="s7", product=4, price="0.00"),
    line("2019-10-06 12:00:00", "view", user=8, session="shared", product=2, brand="sony"),
]
THIRD = [
    # Late: closes the gap that split s1 into two sessions, one of which was an order.
    line("2019-10-01 10:35:00"),
    # Late: precedes all known events of its session, on an earlier day.
    line("2019-10-03 23:40:00", user=3, session="s3", product=5),
    line("2019-09-30 23:50:00", user=2, session="s2", product=2, price="3.00"),
    # Late: an earlier purchase moves a user's first order to another day.
    line("2019-10-02 07:00:00", "purchase", user=5, session="s5", price="5.00"),
    # A tracker session reused weeks later, and a price that changed between known events.
    line("2019-10-20 12:00:00", "purchase", user=4, session="shared", product=3, price="7.77"),
    line("2019-10-05 07:00:00", user=5, session="s5", price="18.00"),
    line("2019-10-06 12:00:00", "view", user=8, session="shared", product=2, brand="sony"),
    line("2019-10-20 13:00:00", "view", user=0, session="s9"),
]
