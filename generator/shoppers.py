"""The synthetic users: their active days, frequency, orders, and ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from generator import published
from generator.catalog import Ints, allocate
from generator.orders import draw_orders
from generator.plan import Plan

# Not every user in the pool is drawn: the factor makes the number of drawn ones match.
POOL_FACTOR: Final = 1.8
# Fitted to distinct users per month and per week, and to buyers per user.
ALREADY_ACTIVE: Final = 0.25
ONE_DAY: Final = 0.4
MEAN_LIFE_DAYS: Final = 32.0
NEWLY_REGISTERED: Final = 0.35
SESSIONS_SHAPE: Final = 0.9
SESSIONS_SCALE: Final = 0.45
# Days from a buyer's first visit to the first order.
MEAN_DAYS_TO_ORDER: Final = 3.0
_WEIGHT_UNIT: Final = 1_000


@dataclass(frozen=True)
class Shoppers:
    """Arrays over the pool of users (U), ordered by their first day, and over the orders (O)."""

    user_id: Ints
    first_day: npt.NDArray[np.int16]
    last_day: npt.NDArray[np.int16]
    weight: npt.NDArray[np.int32]
    buyer: npt.NDArray[np.int32]

    def arrived_by(self, day: int) -> int:
        """Return the number of users whose first day is not after `day`."""
        # A value of another type would make NumPy convert the whole array.
        return int(np.searchsorted(self.first_day, np.int16(day), side="right"))

    def active(self, day: int) -> tuple[npt.NDArray[np.intp], Ints]:
        """Return the positions of a day's active users, and the running sum of their weights."""
        active = np.flatnonzero(self.last_day[: self.arrived_by(day)] >= day)
        if not len(active):
            # A tiny pool may have no active user on a day.
            active = np.arange(len(self.user_id))
        return active, np.cumsum(self.weight[active], dtype=np.int64)


def _ids(rng: np.random.Generator, plan: Plan, first_day: npt.NDArray[np.int16]) -> Ints:
    """Return user ids: old ones by the published quantiles, newly registered ones by time."""
    total = len(first_day)
    registers = (first_day >= 0) & (rng.random(total) < NEWLY_REGISTERED)
    ids = np.empty(total, dtype=np.int64)
    old = np.flatnonzero(~registers)
    # Slots of equal probability; points of neighboring slots are half a slot apart, so that no two
    # users share an id.
    at = (rng.permutation(len(old)) + 0.5 * rng.random(len(old))) / max(len(old), 1)
    probabilities, values = zip(*published.USER_ID_QUANTILES, strict=True)
    ids[old] = np.interp(at, probabilities, values)
    per_day = np.bincount(first_day[registers], minlength=plan.days)
    width = np.maximum(published.NEW_USER_IDS_PER_DAY, per_day * 2)
    start = published.FIRST_NEW_USER_ID + np.concatenate([[0], np.cumsum(width)])
    for day, count in enumerate(per_day):
        step = int(width[day]) // max(int(count), 1)
        # first_day is sorted, so the users of a day are adjacent.
        low, high = np.searchsorted(first_day, [day, day + 1])
        members = low + np.flatnonzero(registers[low:high])
        ids[members] = start[day] + np.arange(count) * step + rng.integers(0, step, count)
    return ids


def build_shoppers(plan: Plan) -> Shoppers:
    """Build the pool of users of a run; deterministic for the plan."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([plan.seed, 3])))
    orders = draw_orders(plan)
    to_order = rng.exponential(MEAN_DAYS_TO_ORDER, len(orders.first_day))
    first_visit = np.maximum(orders.first_day - to_order.astype(np.int64), -1)
    buyers = np.bincount(first_visit + 1, minlength=plan.days + 1)

    per_session = published.USERS / published.SESSIONS
    total = max(10, round(plan.sessions * per_session * POOL_FACTOR))
    arrivals = plan.day_events * (1 - ALREADY_ACTIVE) / plan.events
    counts = np.maximum(allocate(np.concatenate([[ALREADY_ACTIVE], arrivals]), total), buyers)
    total = int(counts.sum())
    first_day = np.repeat(np.arange(-1, plan.days), counts).astype(np.int16)
    position = _spread(first_visit + 1, buyers, counts)

    one_day = (rng.random(total, dtype=np.float32) < ONE_DAY) & (first_day >= 0)
    life = rng.standard_exponential(total, dtype=np.float32) * np.float32(MEAN_LIFE_DAYS)
    last_day = first_day + np.where(one_day, 0, np.minimum(life + 1.5, 10_000)).astype(np.int16)
    last_day[position] = np.maximum(last_day[position], orders.last_day)
    often = rng.standard_gamma(SESSIONS_SHAPE, total, dtype=np.float32) * np.float32(SESSIONS_SCALE)
    often[one_day] = 1.2
    # Who orders more often visits more often.
    often[position] = rng.gamma(SESSIONS_SHAPE + orders.count, SESSIONS_SCALE)
    return Shoppers(
        user_id=_ids(rng, plan, first_day),
        first_day=first_day,
        last_day=last_day,
        weight=np.rint((often + 0.03) * _WEIGHT_UNIT).astype(np.int32),
        buyer=position[orders.buyer],
    )


def _spread(slot: Ints, members: Ints, sizes: Ints) -> npt.NDArray[np.int32]:
    """Return a position for each member in its slot, spread evenly over the slot's positions."""
    order = np.argsort(slot, kind="stable")
    rank = np.empty_like(slot)
    rank[order] = np.arange(len(slot)) - (np.cumsum(members) - members)[slot[order]]
    start = np.cumsum(sizes) - sizes
    return (start[slot] + rank * sizes[slot] // members[slot]).astype(np.int32)
