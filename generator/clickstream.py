"""The events of one window: users, products and times.

All steps are vectorized over the rows (N) or sessions (S) of the window. In a session the visitor
views products, mostly of one category; a purchase follows a view of the same product, often with a
cart event in between, and is often followed by another view of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from generator import published
from generator.catalog import SLOTS, Ints, ProductCatalog, build_catalog
from generator.plan import (
    DAY,
    LONGEST_SESSION,
    Plan,
    Window,
    hour_factor,
    minute_weights,
    rates,
)
from generator.planted import Planted, plant
from generator.shoppers import Shoppers, build_shoppers
from generator.visits import CART, Actions, Bools, Int32s, Rows, draw_sizes

# Share of carts and purchases in which the visitor chooses the cheaper of two products.
_CHEAPER_OF_TWO: Final = 0.15


@dataclass(frozen=True)
class Events:
    """Rows (N) that reference sessions (S); `time` is in seconds since the first day."""

    time: Int32s
    session: Int32s
    event_type: npt.NDArray[np.int8]
    product: Int32s
    user_id: Ints
    uuid: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls) -> Events:
        """Return no events."""
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

    def followed_by(self, other: Events) -> Events:
        """Return these rows followed by the other ones."""
        return Events(
            np.concatenate([self.time, other.time]),
            np.concatenate([self.session, other.session + np.int32(len(self.user_id))]),
            np.concatenate([self.event_type, other.event_type]),
            np.concatenate([self.product, other.product]),
            np.concatenate([self.user_id, other.user_id]),
            np.concatenate([self.uuid, other.uuid]),
        )


class Clickstream:
    """Generates any window of a plan, with the same result each time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._active: dict[int, tuple[npt.NDArray[np.intp], Ints]] = {}

    @cached_property
    def catalog(self) -> ProductCatalog:
        """The products of the run."""
        return build_catalog(self.plan.events, self.plan.days * DAY, self.plan.seed)

    @cached_property
    def planted(self) -> Planted | None:
        """What analyses of the run should find."""
        return plant(self.catalog, self.plan.days, self.plan.seed)

    @cached_property
    def shoppers(self) -> Shoppers:
        """The users of the run."""
        return build_shoppers(self.plan)

    def _active_users(self, day: int) -> tuple[npt.NDArray[np.intp], Ints]:
        if day not in self._active:
            # Keep the previous day only, whose late windows are needed; more would fill the memory.
            self._active = {d: v for d, v in self._active.items() if d == day - 1}
            self._active[day] = self.shoppers.active(day)
        return self._active[day]

    def window(self, day: int, window: Window) -> Events:
        """Generate the events of sessions that start in a window; some events are after its end."""
        rng = np.random.Generator(
            np.random.SFC64(np.random.SeedSequence([self.plan.seed, 2, day, window.number]))
        )
        special = window == max(self.plan.windows(day), key=lambda w: w.events)
        bots = self._bot_sizes(rng, day) if special else np.empty(0, dtype=np.int64)
        size = draw_sizes(rng, window.events, bots)
        sessions = len(size)
        if not sessions:
            return Events.empty()
        first = np.cumsum(size) - size
        active, running = self._active_users(day)
        drawn = np.sort(rng.integers(0, running[-1], sessions))
        user = active[np.searchsorted(running, drawn, side="right")]
        # Sessions are in order of users, after those of crawlers.
        user[: len(bots)] = rng.choice(user, len(bots))
        start = self._draw_starts(rng, day, window, sessions)
        buyers = self.shoppers.buyer[self.plan.orders(day, window)]
        rows = Rows.draw(rng, size, first)
        actions = Actions.draw(
            rng,
            size,
            rates(self.plan.date(day), window.start),
            hour_factor()[start // 3_600],
            len(buyers),
            len(bots),
        )
        bought = np.flatnonzero(actions.buys)
        user[bought] = buyers[: len(bought)]
        actions.mark(rng, rows)
        product = self._products(rng, rows, actions, len(bots), int(bots.sum()))
        if self.planted:
            planting = np.random.Generator(
                np.random.SFC64(np.random.SeedSequence([self.plan.seed, 7, day, window.number]))
            )
            self.planted.apply(planting, self.catalog, day, rows, actions, user, product)
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
        """Draw the sizes of the day's crawler sessions: 100 events or more, fewer on tiny days."""
        count = self.plan.oddities[day].bots
        limit = min(4_128, len(self.catalog.product_id), int(self.plan.day_events[day]) // 4)
        drawn = 100 * (1 + rng.pareto(1.3, count))
        return np.minimum(drawn, limit).astype(np.int64)

    def _draw_starts(
        self, rng: np.random.Generator, day: int, window: Window, sessions: int
    ) -> Ints:
        """Draw the start of each session, in seconds of the day."""
        weights = minute_weights(self.plan.date(day))[window.start // 60 : window.end // 60]
        running = np.concatenate([[0], np.cumsum(weights)]).astype(float)
        at = rng.random(sessions) * running[-1]
        minute = np.interp(at, running, np.arange(len(running)))
        second = np.minimum(window.start + minute * 60, window.end - 1)
        return np.asarray(second, dtype=np.int64)

    def _products(
        self, rng: np.random.Generator, rows: Rows, actions: Actions, bots: int, bot_rows: int
    ) -> Int32s:
        """Draw the product of every row that views a new one, and repeat it in the other rows."""
        catalog = self.catalog
        new = np.flatnonzero(~rows.same)
        opens = rows.opens[new]
        share = rows.uniform[new]
        slot = ((share[opens] * np.uint64(SLOTS)) >> np.uint64(32)).astype(np.int64)
        opening = new[opens]
        # Sessions with a cart or purchase open in a category where those happen.
        acting = np.flatnonzero(actions.acts[rows.session[opening]] & rows.first_row[opening])
        root = actions.roots(rng, rows.session[opening[acting]])
        slot[acting] = catalog.root_first_slot[root] + (
            (share[opens][acting] * catalog.root_slots[root].astype(np.uint64)) >> np.uint64(32)
        ).astype(np.int64)
        opened = catalog.slot_product[slot]
        category = catalog.category[opened][np.cumsum(opens) - 1]
        inside = catalog.category_first_slot[category] + (
            (share * catalog.category_slots[category].astype(np.uint64)) >> np.uint64(32)
        ).astype(np.int64)
        chosen = catalog.slot_product[inside]
        chosen[opens] = opened
        # Sessions with a cart or purchase tend to the cheaper product of a category.
        leaning = np.flatnonzero(actions.acts[rows.session[new]])
        leaning = leaning[rng.random(len(leaning)) < _CHEAPER_OF_TWO]
        at = rng.random(len(leaning)) * catalog.category_slots[category[leaning]]
        other = catalog.slot_product[
            catalog.category_first_slot[category[leaning]] + at.astype(np.int64)
        ]
        cheaper = catalog.base_cents[other] < catalog.base_cents[chosen[leaning]]
        chosen[leaning[cheaper]] = other[cheaper]
        product: Int32s = chosen[np.cumsum(~rows.same) - 1]
        if bots:
            # A crawler walks through the products; the stride is coprime to the catalog's size, so
            # that none repeats.
            stride = next(s for s in range(7, 10_000) if np.gcd(s, len(catalog.product_id)) == 1)
            crawled = np.arange(bot_rows) * stride % len(catalog.product_id)
            product[:bot_rows] = crawled
        buying = actions.buys[rows.session]
        product[buying] = catalog.sellable[product[buying]]
        return product

    def _times(self, day: int, window: Window, start: Ints, rows: Rows) -> Ints:
        """Return the second of the day of every row, within session length and barrier."""
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
        """Insert null, shared and reused session ids."""
        odd = self.plan.oddities[day]
        # Reused identities are those of users known from the start, so that no id is too early.
        known = max(1, self.shoppers.arrived_by(-1))
        session = events.session.copy()
        user_id, uuid = events.user_id.copy(), events.uuid.copy()
        slots = rng.choice(len(size), min(len(odd.reused), len(size)), replace=False)
        for slot, number in zip(slots, odd.reused, strict=False):
            identity = np.random.Generator(
                np.random.PCG64(np.random.SeedSequence([self.plan.seed, 4, number]))
            )
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
            # The nil UUID marks a missing one until the text is written.
            extra_uuid.append(np.zeros(16, dtype=np.uint8))
            session[row] = len(size) + len(extra_user) - 1
        if extra_user:
            user_id = np.concatenate([user_id, np.array(extra_user, dtype=np.int64)])
            uuid = np.concatenate([uuid, np.array(extra_uuid, dtype=np.uint8)])
        return Events(events.time, session, events.event_type, events.product, user_id, uuid)


def _uuids(rng: np.random.Generator, count: int) -> npt.NDArray[np.uint8]:
    """Draw UUIDs (count x 16 bytes): version 4, except for a few with another version nibble."""
    uuid = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    odd = rng.random(count) < published.OTHER_UUID_VERSIONS
    uuid[:, 6] = np.where(odd, uuid[:, 6], uuid[:, 6] & 0x0F | 0x40)
    uuid[:, 8] = uuid[:, 8] & 0x3F | 0x80
    return uuid
