"""The plan of a run: events per day and window, rates per day, and the days of the oddities.

It depends only on the run's parameters, so that any process can generate any day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from itertools import pairwise
from typing import Final

import numpy as np

from generator import published
from generator.catalog import Floats, Ints, allocate

DAY: Final = 86_400
# Sessions are shorter than this, so only those that start after LATE can cross midnight: a day
# consists of its own windows and the late ones of the previous day.
LONGEST_SESSION: Final = 4 * 3_600
LATE: Final = DAY - LONGEST_SESSION
# Bounds the memory: only the arrays of one window are in use at a time.
WINDOW_EVENTS: Final = 250_000
ODDITIES_FROM_EVENTS: Final = 100_000


@dataclass(frozen=True)
class Window:
    """The sessions that start in [start, end) seconds of a day, and their number of events."""

    number: int
    start: int
    end: int
    events: int


@dataclass(frozen=True)
class Rates:
    """Shares of sessions; `carts_tracked` is false while only few categories report carts."""

    purchase: float
    cart_only: float
    cart_given_purchase: float
    carts_tracked: bool


@dataclass(frozen=True)
class Oddities:
    """Numbers of oddities on a day; `reused` are the identities that appear on two days."""

    null_sessions: int
    shared: int
    bots: int
    reused: Ints


def day_weight(day: date) -> float:
    """Return the published number of events of a day; outside their range the weekday's mean."""
    offset = (day - published.FIRST_DAY).days
    if 0 <= offset < len(published.DAILY_EVENTS):
        return published.DAILY_EVENTS[offset]
    same = [
        events
        for number, events in enumerate(published.DAILY_EVENTS)
        if (number - offset) % 7 == 0
        and published.FIRST_DAY + timedelta(number) not in published.PROMOTION_DAYS
    ]
    return sum(same) / len(same)


def event_shares(day: date, tracked: bool) -> tuple[float, float]:
    """Return the shares of carts and purchases among the events of a day."""
    if day in published.PROMOTION_DAYS:
        events, carts, purchases = published.PROMOTION_DAYS[day]
        return carts / events, purchases / events
    if day < date(2019, 11, 1):
        return published.OCTOBER_CART_SHARE, published.OCTOBER_PURCHASE_SHARE
    purchases_share = (
        published.BLACK_FRIDAY_PURCHASE_SHARE
        if day == published.BLACK_FRIDAY
        else published.NOVEMBER_PURCHASE_SHARE
    )
    return (
        published.TRACKED_CART_SHARE if tracked else published.FIRST_WEEK_CART_SHARE,
        purchases_share,
    )


def rates(day: date, second: int) -> Rates:
    """Return the rates of sessions that start at `second` of `day`, from the event shares."""
    switch = (published.CART_TRACKING_DAY, published.CART_TRACKING_HOUR * 3_600)
    tracked = (day, second) >= switch
    carts, purchases = event_shares(day, tracked)
    size = published.EVENTS / published.SESSIONS
    purchase = purchases * size / published.PURCHASES_PER_BUYING_SESSION
    cart_given_purchase = (
        published.CART_GIVEN_PURCHASE_AFTER if tracked else published.CART_GIVEN_PURCHASE_BEFORE
    )
    with_cart = carts * size / published.CARTS_PER_CART_SESSION
    return Rates(purchase, with_cart - purchase * cart_given_purchase, cart_given_purchase, tracked)


@cache
def minute_weights(day: date) -> Ints:
    """Return the relative number of session starts in each of the 1,440 minutes of the day."""
    middle = np.arange(-1, 25) * 60 + 30
    hours = published.SESSIONS_BY_HOUR
    wrapped = (hours[-1], *hours, hours[0])
    weights = np.interp(np.arange(1_440) + 0.5, middle, wrapped)
    if day == published.OUTAGE_DAY:
        first, last = (second // 60 for second in published.OUTAGE)
        weights[first:last] *= published.OUTAGE_RATE
    return np.asarray(np.rint(weights * 100), dtype=np.int64)


@cache
def hour_factor() -> Floats:
    """Return the chance that a session buys by its starting hour, relative to the mean session."""
    rate = np.array(published.PURCHASE_RATE_BY_HOUR)
    factor: Floats = rate / np.average(rate, weights=published.SESSIONS_BY_HOUR)
    return factor


def expected_orders(day: date, window: Window) -> float:
    """Return the number of a window's sessions that buy, before it is rounded."""
    minutes = np.arange(window.start // 60, window.end // 60)
    weights = minute_weights(day)[minutes]
    hours = np.average(hour_factor()[minutes // 60], weights=weights) if weights.any() else 0.0
    sessions = window.events * published.SESSIONS / published.EVENTS
    return float(sessions * rates(day, window.start).purchase * hours)


@dataclass(frozen=True)
class Plan:
    """A run: `events` rows over `days` days from `first_day`, all determined by `seed`."""

    events: int
    first_day: date
    days: int
    seed: int
    dirty_share: float = 0.0
    is_gzipped: bool = False

    def date(self, day: int) -> date:
        """Return the calendar date of a day, which is numbered from 0."""
        return self.first_day + timedelta(day)

    @cached_property
    def day_events(self) -> Ints:
        """Events of the sessions that start on each day; they sum to `events`."""
        weights = [day_weight(self.date(day)) for day in range(self.days)]
        return allocate(np.array(weights, dtype=float), self.events)

    @cached_property
    def sessions(self) -> float:
        """Expected number of sessions."""
        return self.events * published.SESSIONS / published.EVENTS

    def windows(self, day: int) -> list[Window]:
        """Return the windows of a day in order."""
        return self._windows[day]

    @cached_property
    def _windows(self) -> list[list[Window]]:
        return [self._split(day) for day in range(self.days)]

    def _split(self, day: int) -> list[Window]:
        """Split a day into its windows."""
        events = int(self.day_events[day])
        calendar_day = self.date(day)
        minutes = np.concatenate([[0], np.cumsum(minute_weights(calendar_day))])
        edges = {0, LATE // 60, 1_440}
        if calendar_day == published.CART_TRACKING_DAY:
            edges.add(published.CART_TRACKING_HOUR * 60)
        if calendar_day == published.OUTAGE_DAY:
            edges.add(published.OUTAGE[0] // 60)
        parts = -(-events // WINDOW_EVENTS)
        if parts > 1:
            at = np.arange(1, parts) * (minutes[-1] / parts)
            edges.update(int(minute) for minute in np.searchsorted(minutes, at))
        starts = sorted(edges)
        mass = np.diff(minutes[starts]).astype(float)
        return [
            Window(number, start * 60, end * 60, int(count))
            for number, ((start, end), count) in enumerate(
                zip(pairwise(starts), allocate(mass, events), strict=True)
            )
        ]

    @cached_property
    def order_offsets(self) -> Ints:
        """The number of orders before each window of each day, and at last of all of them."""
        expected = [
            expected_orders(self.date(day), window)
            for day, windows in enumerate(self._windows)
            for window in windows
        ]
        # Rounding the sum, not the parts, keeps the total where a window has less than one order.
        return np.asarray(np.rint(np.cumsum([0.0, *expected])), dtype=np.int64)

    @cached_property
    def first_windows(self) -> Ints:
        """The number of windows before each day, and at last of all of them."""
        return np.cumsum([0, *map(len, self._windows)])

    @cached_property
    def day_orders(self) -> Ints:
        """Sessions that buy on each day."""
        return np.diff(self.order_offsets[self.first_windows])

    def orders(self, day: int, window: Window) -> slice:
        """Return the numbers of the orders of a window."""
        at = self.first_windows[day] + window.number
        return slice(int(self.order_offsets[at]), int(self.order_offsets[at + 1]))

    def barrier(self, day: int, window: Window) -> int | None:
        """Return the second of the day by which the window's sessions must end, if any.

        It is the end of the run, midnight before a day without purchases, or the outage's start.
        """
        calendar_day = self.date(day)
        if calendar_day == published.OUTAGE_DAY and window.start < published.OUTAGE[0]:
            return published.OUTAGE[0]
        tomorrow = published.PROMOTION_DAYS.get(calendar_day + timedelta(1))
        if window.start >= LATE and (day == self.days - 1 or (tomorrow and tomorrow[2] == 0)):
            return DAY
        return None

    def _count(self, published_count: int) -> int:
        """Scale a published count; at least 1 in a run of 100,000 events or more."""
        scaled = round(published_count * self.events / published.EVENTS)
        return max(scaled, 1) if self.events >= ODDITIES_FROM_EVENTS else scaled

    @cached_property
    def reused_identities(self) -> int:
        """Number of session ids that appear again on a later day."""
        return self._count(published.REUSED_SESSIONS) if self.days > 1 else 0

    @cached_property
    def oddities(self) -> list[Oddities]:
        """The oddities of each day."""
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, 1])))
        chance = self.day_events / self.events

        def per_day(count: int) -> Ints:
            return np.bincount(rng.choice(self.days, count, p=chance), minlength=self.days)

        null, shared, bots = (
            per_day(self._count(count))
            for count in (
                published.NULL_SESSIONS,
                published.SHARED_SESSIONS,
                published.BOT_SESSIONS,
            )
        )
        first = rng.choice(self.days, self.reused_identities, p=chance)
        distance = rng.integers(1, max(self.days, 2), self.reused_identities)
        second = (first + distance) % self.days
        return [
            Oddities(
                int(null[day]),
                int(shared[day]),
                int(bots[day]),
                np.flatnonzero((first == day) | (second == day)),
            )
            for day in range(self.days)
        ]
