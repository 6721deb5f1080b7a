"""The events of sessions: how many, when, and which are carts and purchases.

All arrays are over the rows (N) or the sessions (S) of a window; the rows of a session are adjacent
and in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from generator import published
from generator.catalog import Floats, Ints
from generator.plan import Rates

VIEW: Final = 0
CART: Final = 1
PURCHASE: Final = 2

Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

# Shares of 65,536, from the transitions in the real rows: the next view is of a product seen
# before (otherwise of a new one), and it changes the category.
_SAME_PRODUCT: Final = 26_000
_CHANGE_CATEGORY: Final = 65_536 - 7_000
_VIEWS_AGAIN: Final = 0.3
# Published duplicate purchases, as a share of purchases that repeat the previous one.
_PURCHASE_TWICE: Final = 85 / 85_000
# A 16-bit number draws from a table.
_QUANTILES: Final = 65_536


@cache
def session_sizes() -> npt.NDArray[np.int16]:
    """Return 65,536 equally likely numbers of events in a session."""
    sizes, survival = zip(*published.SESSION_SIZE_SURVIVAL, strict=True)
    at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    # The size is the largest n whose P(size >= n) is not below the drawn probability.
    size = np.interp(-np.log(1 - at), -np.log(survival), sizes)
    return np.asarray(np.floor(size), dtype=np.int16)


@cache
def purchase_factor() -> Floats:
    """Return the chance that a session of n events buys, relative to the mean session."""
    least, rate = zip(*published.PURCHASE_RATE_BY_SIZE, strict=True)
    sizes = np.arange(int(session_sizes().max()) + 1)
    by_size = np.array(rate)[np.searchsorted(least, np.maximum(sizes, 1), side="right") - 1]
    factor: Floats = by_size / by_size[session_sizes()].mean()
    return factor


@cache
def gaps() -> Int32s:
    """Return 65,536 equally likely gaps between events, in seconds, ascending."""
    probabilities, values = zip(*published.GAP_QUANTILES, strict=True)
    at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    seconds = np.exp(np.interp(at, probabilities, np.log(values)))
    return np.where(at < probabilities[0], 0, np.rint(seconds)).astype(np.int32)


@cache
def root_chances(carts_tracked: bool) -> tuple[Floats, Floats, Floats]:
    """Return the cumulative chances of the category roots.

    For sessions that buy with a cart event, that buy without one, and that have only carts.
    """

    def share(values: Floats) -> Floats:
        clipped = np.clip(values, 0, None)
        result: Floats = clipped / clipped.sum()
        return result

    roots = published.CATEGORY_ROOTS
    bought = share(np.array([sum(r.purchases) for r in roots], dtype=float))
    early = share(np.array([r.carts[0] for r in roots], dtype=float))
    if not carts_tracked:
        with_cart = published.CART_GIVEN_PURCHASE_BEFORE
        return (
            np.cumsum(early),
            np.cumsum(share(bought - with_cart * early)),
            np.cumsum(early),
        )
    november = np.array([r.carts[1] for r in roots], dtype=float)
    # About 204,000 of November's carts came before the switch, about half of the others from
    # sessions with a purchase.
    late = share(november - 204_000 * early)
    return np.cumsum(bought), np.cumsum(bought), np.cumsum(share(late - 0.48 * bought))


def draw_sizes(rng: np.random.Generator, events: int, bots: Ints) -> Ints:
    """Draw session sizes that sum to `events`: crawlers first, the last session truncated."""
    parts = [bots]
    missing = events - int(bots.sum())
    while missing > 0:
        draw = rng.integers(0, _QUANTILES, int(missing / 4.5) + 16, dtype=np.uint16)
        parts.append(session_sizes()[draw].astype(np.int64))
        missing -= int(parts[-1].sum())
    size = np.concatenate(parts)
    running = np.cumsum(size)
    count = int(np.searchsorted(running, events)) + 1 if events else 0
    size = size[:count]
    if count:
        size[-1] -= running[count - 1] - events
    return size


def choose_buying(rng: np.random.Generator, chance: Floats, bots: int, orders: int) -> Bools:
    """Choose the sessions that buy by their relative chance; crawlers, which come first, never."""
    # The smallest of exponentials with these rates are a weighted draw without replacement.
    at = rng.standard_exponential(len(chance)) / chance
    at[:bots] = np.inf
    buys = np.zeros(len(chance), dtype=np.bool_)
    count = min(orders, len(chance) - bots)
    if count > 0:
        buys[np.argpartition(at, count - 1)[:count]] = True
    return buys


@dataclass
class Rows:
    """Row-level state (N) while a window is generated."""

    size: Ints
    first: Ints
    session: Int32s
    first_row: Bools
    same: Bools
    opens: Bools
    gap: Int32s
    uniform: npt.NDArray[np.uint64]
    event_type: npt.NDArray[np.int8]

    @classmethod
    def draw(cls, rng: np.random.Generator, size: Ints, first: Ints) -> Rows:
        """Draw every row independently, each from 64 random bits."""
        rows = int(size.sum())
        bits = rng.integers(0, 1 << 64, rows, dtype=np.uint64)
        step = ((bits >> np.uint64(32)) & np.uint64(0xFFFF)).astype(np.int32)
        pause = (bits >> np.uint64(48)).astype(np.int32)
        first_row = np.zeros(rows, dtype=np.bool_)
        first_row[first] = True
        same = step < _SAME_PRODUCT
        same[first] = False
        gap = gaps()[pause]
        # Two views of a product in one second are a duplicate row: allow only the chosen ones.
        gap[same & (gap == 0)] = 1
        double = np.flatnonzero(
            pause < round(published.DUPLICATED_VIEWS / published.EVENTS * 65_536)
        )
        double = double[~first_row[double]]
        same[double], gap[double] = True, 0
        return cls(
            size,
            first,
            np.repeat(np.arange(len(size), dtype=np.int32), size),
            first_row,
            same,
            first_row | (step >= _CHANGE_CATEGORY),
            gap,
            bits & np.uint64(0xFFFFFFFF),
            np.zeros(rows, dtype=np.int8),
        )


@dataclass
class Actions:
    """Session-level state (S): which sessions cart or buy, at which row."""

    size: Ints
    buys: Bools
    carts_first: Bools
    only_carts: Bools
    at: Ints
    carts_tracked: bool

    @property
    def acts(self) -> Bools:
        """Sessions with a cart or purchase."""
        return self.buys | self.only_carts

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        size: Ints,
        rate: Rates,
        hours: Floats,
        orders: int,
        bots: int,
    ) -> Actions:
        """Draw for each session; `orders` of them buy, which `hours` makes more or less likely."""
        sessions = len(size)
        chance, other = rng.random(sessions), rng.random(sessions)
        factor = purchase_factor()[np.minimum(size, len(purchase_factor()) - 1)]
        buys = choose_buying(rng, factor * hours, bots, orders)
        # Two events have no room for view, cart and purchase: longer sessions compensate.
        carts_first = buys & (size >= 3) & (other < rate.cart_given_purchase * 1.09)
        only_carts = ~buys & (other < rate.cart_only * factor * 1.11)
        # Almost no session is a single cart event: 99.95 % have a view.
        only_carts &= (size > 1) | (chance < 0.25)
        only_carts[:bots] = False
        at = np.minimum(1 + (rng.random(sessions) * (size - 1)).astype(np.int64), size - 1)
        at = np.where(carts_first, np.maximum(at, 2), at)
        return cls(size, buys, carts_first, only_carts, at, rate.carts_tracked)

    def roots(self, rng: np.random.Generator, sessions: Int32s) -> npt.NDArray[np.intp]:
        """Draw the category root of the carts and purchases of each session."""
        with_cart, without_cart, only_carts = root_chances(self.carts_tracked)
        at = rng.random(len(sessions))
        root = np.searchsorted(only_carts, at)
        buys = self.buys[sessions]
        root[buys] = np.searchsorted(without_cart, at[buys])
        first = self.carts_first[sessions]
        root[first] = np.searchsorted(with_cart, at[first])
        return np.minimum(root, len(only_carts) - 1)

    def mark(self, rng: np.random.Generator, rows: Rows) -> None:
        """Set event types in the rows, and mark rows that repeat the previous product."""
        # These sessions stay in their category until the cart or purchase.
        acting = np.flatnonzero(rows.opens & ~rows.first_row)
        acting = acting[self.acts[rows.session[acting]]]
        early = acting - rows.first[rows.session[acting]] <= self.at[rows.session[acting]]
        rows.opens[acting[early]] = False
        self._mark_purchases(rng, rows)
        self._mark_carts(rng, rows)
        rows.opens &= ~rows.same

    def _put(self, rows: Rows, sessions: Ints, position: Ints, event_type: int) -> None:
        at = rows.first[sessions] + position
        rows.event_type[at] = event_type
        rows.same[at] = position > 0
        rows.gap[at] = np.maximum(rows.gap[at], 1)

    def _mark_purchases(self, rng: np.random.Generator, rows: Rows) -> None:
        buyers = np.flatnonzero(self.buys)
        self._put(rows, buyers, self.at[buyers], PURCHASE)
        # Buyers take longer before they pay.
        rows.gap[rows.first[buyers] + self.at[buyers]] *= 2
        after = buyers[(self.at[buyers] + 1 < self.size[buyers])]
        again = after[rng.random(len(after)) < _VIEWS_AGAIN]
        rows.same[rows.first[again] + self.at[again] + 1] = True
        extra = np.minimum(rng.geometric(0.70, len(buyers)) - 1, 8)
        stride = rng.integers(1, 4, len(buyers))
        for i in range(1, 9):
            position = self.at[buyers] + i * stride
            fits = (extra >= i) & (position < self.size[buyers])
            self._put(rows, buyers[fits], position[fits], PURCHASE)
            twice = fits & (stride == 1) & (rng.random(len(buyers)) < _PURCHASE_TWICE)
            rows.gap[rows.first[buyers[twice]] + position[twice]] = 0

    def _mark_carts(self, rng: np.random.Generator, rows: Rows) -> None:
        first = np.flatnonzero(self.carts_first)
        self._put(rows, first, self.at[first] - 1, CART)
        only = np.flatnonzero(self.only_carts)
        burst = rng.random(len(only)) < 0.06
        copies = np.where(burst, np.minimum(rng.geometric(0.57, len(only)), 30), 0)
        copies = np.minimum(copies, np.maximum(self.size[only] - 2, 0))
        self.at[only] = np.minimum(self.at[only], self.size[only] - 1 - copies)
        self._put(rows, only, self.at[only], CART)
        for sessions, direction, base in ((only, 1, copies), (first, -1, np.ones_like(first))):
            extra = np.minimum(rng.geometric(0.29, len(sessions)) - 1, 12)
            stride = rng.integers(1, 4, len(sessions))
            for i in range(1, 13):
                position = self.at[sessions] + direction * (base + i * stride)
                fits = (extra >= i) & (position < self.size[sessions]) & (position > 0)
                self._put(rows, sessions[fits], position[fits], CART)
        for i in range(1, int(copies.max(initial=0)) + 1):
            doubled = only[copies >= i]
            self._put(rows, doubled, self.at[doubled] + i, CART)
            rows.gap[rows.first[doubled] + self.at[doubled] + i] = 0
