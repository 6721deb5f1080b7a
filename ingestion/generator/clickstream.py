"""The events of one window: sessions, what is looked at, carted and bought in them, and when.

All steps are vectorised over the rows (N) or sessions (S) of the window. In a session the visitor
looks at products, mostly of one category; a purchase follows a view of the same product, often
over a cart event, and is often followed by another view of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from ingestion.generator import published
from ingestion.generator.catalogue import SLOTS, Catalogue, Floats, Ints, build_catalogue
from ingestion.generator.plan import (
    DAY,
    LONGEST_SESSION,
    Plan,
    Rates,
    Window,
    minute_weights,
    rates,
)
from ingestion.generator.shoppers import Shoppers, build_shoppers

VIEW: Final = 0
CART: Final = 1
PURCHASE: Final = 2

Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

# Shares of 65,536, from the transitions in the real rows: the next view is of a product already
# seen (the remaining ones of a new product), and it changes the category.
_SAME_PRODUCT: Final = 26_000
_CHANGE_CATEGORY: Final = 65_536 - 7_000
_LOOKS_AGAIN: Final = 0.3
# Published duplicates of purchases over the purchases that repeat the one before.
_PURCHASE_TWICE: Final = 85 / 85_000
# Tables are drawn from by a 16-bit number.
_QUANTILES: Final = 65_536
_LARGEST_CHANCE: Final = 0.95
_LARGEST_SCALE: Final = 4.0
_CHEAPER_OF_TWO: Final = 0.15


@dataclass(frozen=True)
class Events:
    """Rows (N) with the sessions (S) they point to; `time` counts seconds from the first day."""

    time: Int32s
    session: Int32s
    event_type: npt.NDArray[np.int8]
    product: Int32s
    user_id: Ints
    uuid: npt.NDArray[np.uint8]

    @classmethod
    def none(cls) -> Events:
        """No events."""
        rows = np.empty(0, dtype=np.int32)
        return cls(
            rows,
            rows,
            rows.astype(np.int8),
            rows,
            rows.astype(np.int64),
            np.empty((0, 16), dtype=np.uint8),
        )

    def take(self, rows: Ints) -> Events:
        """Return the rows at these positions, with all sessions."""
        return Events(
            self.time[rows],
            self.session[rows],
            self.event_type[rows],
            self.product[rows],
            self.user_id,
            self.uuid,
        )

    def where(self, keep: Bools) -> Events:
        """Return the rows where `keep` is true, with only their sessions."""
        rows = np.flatnonzero(keep)
        used, session = np.unique(self.session[rows], return_inverse=True)
        return Events(
            self.time[rows],
            session.astype(np.int32),
            self.event_type[rows],
            self.product[rows],
            self.user_id[used],
            self.uuid[used],
        )

    def then(self, other: Events) -> Events:
        """Return these rows followed by the other ones."""
        return Events(
            np.concatenate([self.time, other.time]),
            np.concatenate([self.session, other.session + np.int32(len(self.user_id))]),
            np.concatenate([self.event_type, other.event_type]),
            np.concatenate([self.product, other.product]),
            np.concatenate([self.user_id, other.user_id]),
            np.concatenate([self.uuid, other.uuid]),
        )


@cache
def session_sizes() -> npt.NDArray[np.int16]:
    """65,536 equally likely numbers of events of a session."""
    sizes, survival = zip(*published.SESSION_SIZE_SURVIVAL, strict=True)
    at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    # The size is the largest n that P(size >= n) still reaches.
    size = np.interp(-np.log(1 - at), -np.log(survival), sizes)
    return np.asarray(np.floor(size), dtype=np.int16)


@cache
def purchase_factor() -> Floats:
    """How likely a session of n events buys, relative to the mean session."""
    least, rate = zip(*published.PURCHASE_RATE_BY_SIZE, strict=True)
    sizes = np.arange(int(session_sizes().max()) + 1)
    by_size = np.array(rate)[np.searchsorted(least, np.maximum(sizes, 1), side="right") - 1]
    factor: Floats = by_size / by_size[session_sizes()].mean()
    return factor


@cache
def gaps() -> Int32s:
    """65,536 equally likely gaps between events, in seconds, ascending."""
    probabilities, values = zip(*published.GAP_QUANTILES, strict=True)
    at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    seconds = np.exp(np.interp(at, probabilities, np.log(values)))
    return np.where(at < probabilities[0], 0, np.rint(seconds)).astype(np.int32)


@cache
def hour_factor() -> Floats:
    """How likely a session that starts in an hour buys, relative to the mean session."""
    rate = np.array(published.PURCHASE_RATE_BY_HOUR)
    factor: Floats = rate / np.average(rate, weights=published.SESSIONS_BY_HOUR)
    return factor


@cache
def root_chances(carts_tracked: bool) -> tuple[Floats, Floats, Floats]:
    """Cumulative chances of the category roots.

    For sessions that buy over a cart, that buy without one, and that only cart.
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
    # About 204,000 of November's carts were made before the switch, about half of the others
    # by sessions that bought.
    late = share(november - 204_000 * early)
    return np.cumsum(bought), np.cumsum(bought), np.cumsum(share(late - 0.48 * bought))


class Clickstream:
    """Makes any window of a plan, always the same way."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._active: dict[int, tuple[npt.NDArray[np.intp], Ints]] = {}

    @cached_property
    def catalogue(self) -> Catalogue:
        """The products of the run."""
        return build_catalogue(self.plan.events, self.plan.days * DAY, self.plan.seed)

    @cached_property
    def shoppers(self) -> Shoppers:
        """The users of the run."""
        return build_shoppers(self.plan)

    def _active_users(self, day: int) -> tuple[npt.NDArray[np.intp], Ints]:
        if day not in self._active:
            # Only this day and the one before are needed again.
            self._active = {d: v for d, v in self._active.items() if d >= day - 1}
            self._active[day] = self.shoppers.active(day)
        return self._active[day]

    def window(self, day: int, window: Window) -> Events:
        """Make the events of the sessions that start in a window; some lie after its end."""
        rng = np.random.Generator(
            np.random.SFC64(np.random.SeedSequence([self.plan.seed, 2, day, window.number]))
        )
        special = window == max(self.plan.windows(day), key=lambda w: w.events)
        bots = self._bot_sizes(rng, day) if special else np.empty(0, dtype=np.int64)
        size = _draw_sizes(rng, window.events, bots)
        sessions = len(size)
        if not sessions:
            return Events.none()
        first = np.cumsum(size) - size
        active, running = self._active_users(day)
        drawn = np.sort(rng.integers(0, running[-1], sessions))
        user = active[np.searchsorted(running, drawn, side="right")]
        # Sessions are in the order of users, crawlers come first.
        user[: len(bots)] = rng.choice(user, len(bots))
        start = self._draw_starts(rng, day, window, sessions)
        rows = _Rows.draw(rng, size, first)
        actions = _Actions.draw(
            rng,
            size,
            rates(self.plan.date(day), window.start),
            self.shoppers.readiness[user].astype(np.float64),
            hour_factor()[start // 3_600],
            len(bots),
        )
        actions.mark(rng, rows)
        product = self._products(rng, rows, actions, len(bots), int(bots.sum()))
        time = self._times(day, window, start, rows)
        time += day * DAY
        events = Events(
            time.astype(np.int32),
            rows.session,
            rows.event_type,
            product,
            self.shoppers.user_id[user],
            _uuids(rng, sessions),
        )
        return self._with_odd_identities(rng, day, events, size, first) if special else events

    def _bot_sizes(self, rng: np.random.Generator, day: int) -> Ints:
        """Sizes of the day's crawler sessions: 100 events and more, fewer on tiny days."""
        count = self.plan.oddities[day].bots
        limit = min(4_128, len(self.catalogue.product_id), int(self.plan.day_events[day]) // 4)
        drawn = 100 * (1 + rng.pareto(1.3, count))
        return np.minimum(drawn, limit).astype(np.int64)

    def _draw_starts(
        self, rng: np.random.Generator, day: int, window: Window, sessions: int
    ) -> Ints:
        """Start of each session, in seconds of the day."""
        weights = minute_weights(self.plan.date(day))[window.start // 60 : window.end // 60]
        running = np.concatenate([[0], np.cumsum(weights)]).astype(float)
        at = rng.random(sessions) * running[-1]
        minute = np.interp(at, running, np.arange(len(running)))
        second = np.minimum(window.start + minute * 60, window.end - 1)
        return np.asarray(second, dtype=np.int64)

    def _products(
        self, rng: np.random.Generator, rows: _Rows, actions: _Actions, bots: int, bot_rows: int
    ) -> Int32s:
        """Product of every row: drawn where a new one is looked at, repeated elsewhere."""
        catalogue = self.catalogue
        new = np.flatnonzero(~rows.same)
        opens = rows.opens[new]
        share = rows.uniform[new]
        slot = ((share[opens] * np.uint64(SLOTS)) >> np.uint64(32)).astype(np.int64)
        opening = new[opens]
        # The opening rows of sessions that act lead to where carts and purchases happen.
        acting = np.flatnonzero(actions.acts[rows.session[opening]] & rows.first_row[opening])
        root = actions.roots(rng, rows.session[opening[acting]])
        slot[acting] = catalogue.root_first_slot[root] + (
            (share[opens][acting] * catalogue.root_slots[root].astype(np.uint64)) >> np.uint64(32)
        ).astype(np.int64)
        opened = catalogue.slot_product[slot]
        category = catalogue.category[opened][np.cumsum(opens) - 1]
        inside = catalogue.category_first_slot[category] + (
            (share * catalogue.category_slots[category].astype(np.uint64)) >> np.uint64(32)
        ).astype(np.int64)
        chosen = catalogue.slot_product[inside]
        chosen[opens] = opened
        # Who carts or buys leans to the cheaper product of a category.
        leaning = np.flatnonzero(actions.acts[rows.session[new]])
        leaning = leaning[rng.random(len(leaning)) < _CHEAPER_OF_TWO]
        at = rng.random(len(leaning)) * catalogue.category_slots[category[leaning]]
        other = catalogue.slot_product[
            catalogue.category_first_slot[category[leaning]] + at.astype(np.int64)
        ]
        cheaper = catalogue.base_cents[other] < catalogue.base_cents[chosen[leaning]]
        chosen[leaning[cheaper]] = other[cheaper]
        product: Int32s = chosen[np.cumsum(~rows.same) - 1]
        if bots:
            # A crawler takes one product after the other; the stride has no factor in common
            # with the catalogue's size, so none repeats.
            stride = next(s for s in range(7, 10_000) if np.gcd(s, len(catalogue.product_id)) == 1)
            crawled = np.arange(bot_rows) * stride % len(catalogue.product_id)
            product[:bot_rows] = crawled
        buying = actions.buys[rows.session]
        product[buying] = catalogue.sellable[product[buying]]
        return product

    def _times(self, day: int, window: Window, start: Ints, rows: _Rows) -> Ints:
        """Second of the day of every row, inside the longest session and before the barrier."""
        gap = rows.gap.astype(np.int64)
        running = np.cumsum(gap)
        first = rows.first
        offset = running - np.repeat(running[first], rows.size)
        barrier = self.plan.barrier(day, window)
        longest = LONGEST_SESSION - 1
        if barrier is not None:
            longest = min(longest, barrier - 1 - window.start)
        span = offset[first + rows.size - 1]
        for session in np.flatnonzero(span > longest):
            part = slice(first[session], first[session] + rows.size[session])
            offset[part] = offset[part] * longest // span[session]
            span[session] = longest
        if barrier is not None:
            start = np.minimum(start, barrier - 1 - span)
        return np.repeat(start, rows.size) + offset

    def _with_odd_identities(
        self, rng: np.random.Generator, day: int, events: Events, size: Ints, first: Ints
    ) -> Events:
        """Put in null, shared and reused session ids."""
        odd = self.plan.oddities[day]
        session = events.session.copy()
        user_id, uuid = events.user_id.copy(), events.uuid.copy()
        slots = rng.choice(len(size), min(len(odd.reused), len(size)), replace=False)
        for slot, number in zip(slots, odd.reused, strict=False):
            identity = np.random.Generator(
                np.random.PCG64(np.random.SeedSequence([self.plan.seed, 4, number]))
            )
            # Someone who was there from the start, so that no id is seen before its time.
            known = max(1, int(np.searchsorted(self.shoppers.first_day, 0)))
            user_id[slot] = self.shoppers.user_id[identity.integers(known)]
            uuid[slot] = _uuids(identity, 1)[0]
        extra_user: list[int] = []
        extra_uuid: list[npt.NDArray[np.uint8]] = []
        large = np.setdiff1d(np.flatnonzero(size > 1), slots)
        for slot in rng.choice(large, min(odd.shared, len(large)), replace=False):
            half = slice(first[slot] + size[slot] // 2, first[slot] + size[slot])
            session[half] = len(size) + len(extra_user)
            extra_user.append(int(user_id[slot]) + int(rng.integers(1, 6)))
            extra_uuid.append(uuid[slot])
        carts = np.flatnonzero((events.event_type == CART) & (session < len(size)))
        for row in rng.choice(carts, min(odd.null_sessions, len(carts)), replace=False):
            extra_user.append(int(user_id[session[row]]))
            # The nil UUID stands for a missing one until the text is written.
            extra_uuid.append(np.zeros(16, dtype=np.uint8))
            session[row] = len(size) + len(extra_user) - 1
        if extra_user:
            user_id = np.concatenate([user_id, np.array(extra_user, dtype=np.int64)])
            uuid = np.concatenate([uuid, np.array(extra_uuid, dtype=np.uint8)])
        return Events(events.time, session, events.event_type, events.product, user_id, uuid)


def _draw_sizes(rng: np.random.Generator, events: int, bots: Ints) -> Ints:
    """Session sizes that sum to `events`: crawlers first, the last session cut to fit."""
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


def _matched(relative: Floats, target: Floats) -> Floats:
    """Return chances near `relative` x `target`, scaled so that their mean is that of `target`."""
    wanted = float(target.mean())
    chances = relative * target
    # The limit on single chances takes some away; a few rounds give it back.
    for _ in range(6):
        mean = float(chances.mean())
        scale = wanted / mean if mean > 0 else 1.0
        chances = np.minimum(chances * min(scale, _LARGEST_SCALE), _LARGEST_CHANCE)
    return chances


def _uuids(rng: np.random.Generator, count: int) -> npt.NDArray[np.uint8]:
    """UUIDs (count x 16 bytes): version 4, but for a few of another version nibble."""
    uuid = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    odd = rng.random(count) < published.OTHER_UUID_VERSIONS
    uuid[:, 6] = np.where(odd, uuid[:, 6], uuid[:, 6] & 0x0F | 0x40)
    uuid[:, 8] = uuid[:, 8] & 0x3F | 0x80
    return uuid


@dataclass
class _Rows:
    """Row-level state (N) while a window is made."""

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
    def draw(cls, rng: np.random.Generator, size: Ints, first: Ints) -> _Rows:
        """Independent draws for every row; 64 random bits make a row."""
        rows = int(size.sum())
        bits = rng.integers(0, 1 << 64, rows, dtype=np.uint64)
        step = ((bits >> np.uint64(32)) & np.uint64(0xFFFF)).astype(np.int32)
        pause = (bits >> np.uint64(48)).astype(np.int32)
        first_row = np.zeros(rows, dtype=np.bool_)
        first_row[first] = True
        same = step < _SAME_PRODUCT
        same[first] = False
        gap = gaps()[pause]
        # Two views of a product in one second are a duplicate row: left to a chosen few.
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
class _Actions:
    """Session-level state (S): who carts, who buys, at which row of the session."""

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
        readiness: Floats,
        hours: Floats,
        bots: int,
    ) -> _Actions:
        """Decide per session; `readiness` of the user and `hours` multiply the chance to buy."""
        sessions = len(size)
        chance, other = rng.random(sessions), rng.random(sessions)
        factor = purchase_factor()[np.minimum(size, len(purchase_factor()) - 1)]
        buys = chance < _matched(factor * readiness, rate.purchase * hours)
        buys[:bots] = False
        # Two-event sessions have no room for view, cart and purchase: the longer ones make up.
        carts_first = buys & (size >= 3) & (other < rate.cart_given_purchase * 1.09)
        only_carts = ~buys & (other < rate.cart_only * factor * 1.11)
        only_carts[:bots] = False
        at = np.minimum(1 + (rng.random(sessions) * (size - 1)).astype(np.int64), size - 1)
        at = np.where(carts_first, np.maximum(at, 2), at)
        return cls(size, buys, carts_first, only_carts, at, rate.carts_tracked)

    def roots(self, rng: np.random.Generator, sessions: Int32s) -> npt.NDArray[np.intp]:
        """Draw the category root in which each of these sessions acts."""
        over_cart, without_cart, only_carts = root_chances(self.carts_tracked)
        at = rng.random(len(sessions))
        root = np.searchsorted(only_carts, at)
        buys = self.buys[sessions]
        root[buys] = np.searchsorted(without_cart, at[buys])
        over = self.carts_first[sessions]
        root[over] = np.searchsorted(over_cart, at[over])
        return np.minimum(root, len(only_carts) - 1)

    def mark(self, rng: np.random.Generator, rows: _Rows) -> None:
        """Write the events into the rows: their types, and that they repeat the product before."""
        # Acting sessions stay in their category up to the act.
        acting = np.flatnonzero(rows.opens & ~rows.first_row)
        acting = acting[self.acts[rows.session[acting]]]
        early = acting - rows.first[rows.session[acting]] <= self.at[rows.session[acting]]
        rows.opens[acting[early]] = False
        self._mark_purchases(rng, rows)
        self._mark_carts(rng, rows)
        rows.opens &= ~rows.same

    def _put(self, rows: _Rows, sessions: Ints, position: Ints, event_type: int) -> None:
        at = rows.first[sessions] + position
        rows.event_type[at] = event_type
        rows.same[at] = position > 0
        rows.gap[at] = np.maximum(rows.gap[at], 1)

    def _mark_purchases(self, rng: np.random.Generator, rows: _Rows) -> None:
        buyers = np.flatnonzero(self.buys)
        self._put(rows, buyers, self.at[buyers], PURCHASE)
        # People take their time before they pay.
        rows.gap[rows.first[buyers] + self.at[buyers]] *= 2
        after = buyers[(self.at[buyers] + 1 < self.size[buyers])]
        again = after[rng.random(len(after)) < _LOOKS_AGAIN]
        rows.same[rows.first[again] + self.at[again] + 1] = True
        extra = np.minimum(rng.geometric(0.70, len(buyers)) - 1, 8)
        stride = rng.integers(1, 4, len(buyers))
        for i in range(1, 9):
            position = self.at[buyers] + i * stride
            fits = (extra >= i) & (position < self.size[buyers])
            self._put(rows, buyers[fits], position[fits], PURCHASE)
            twice = fits & (stride == 1) & (rng.random(len(buyers)) < _PURCHASE_TWICE)
            rows.gap[rows.first[buyers[twice]] + position[twice]] = 0

    def _mark_carts(self, rng: np.random.Generator, rows: _Rows) -> None:
        over = np.flatnonzero(self.carts_first)
        self._put(rows, over, self.at[over] - 1, CART)
        only = np.flatnonzero(self.only_carts)
        burst = rng.random(len(only)) < 0.05
        copies = np.where(burst, np.minimum(rng.geometric(0.57, len(only)), 30), 0)
        copies = np.minimum(copies, np.maximum(self.size[only] - 2, 0))
        self.at[only] = np.minimum(self.at[only], self.size[only] - 1 - copies)
        self._put(rows, only, self.at[only], CART)
        for sessions, direction, base in ((only, 1, copies), (over, -1, np.ones_like(over))):
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
