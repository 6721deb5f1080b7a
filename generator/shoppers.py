"""The synthetic users: their active days, frequency, readiness to buy, and ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from generator import published
from generator.catalog import Ints, allocate
from generator.plan import Plan

# Not every user in the pool is drawn: the factor makes the number of drawn ones match.
POOL_FACTOR: Final = 1.62
# Fitted to distinct users per month and per week, buyers per user and orders per buyer.
ALREADY_ACTIVE: Final = 0.25
ONE_DAY: Final = 0.4
MEAN_LIFE_DAYS: Final = 32.0
NEWLY_REGISTERED: Final = 0.35
_WEIGHT_UNIT: Final = 1_000


@dataclass(frozen=True)
class Shoppers:
    """Arrays over the pool of users (U), ordered by their first day."""

    user_id: Ints
    first_day: npt.NDArray[np.int16]
    last_day: npt.NDArray[np.int16]
    weight: npt.NDArray[np.int32]
    readiness: npt.NDArray[np.float32]

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
    per_session = published.USERS / published.SESSIONS
    total = max(10, round(plan.sessions * per_session * POOL_FACTOR))
    arrivals = plan.day_events * (1 - ALREADY_ACTIVE) / plan.events
    counts = allocate(np.concatenate([[ALREADY_ACTIVE], arrivals]), total)
    first_day = np.repeat(np.arange(-1, plan.days), counts).astype(np.int16)

    one_day = (rng.random(total) < ONE_DAY) & (first_day >= 0)
    life = np.rint(rng.exponential(MEAN_LIFE_DAYS, total))
    last_day = first_day + np.where(one_day, 0, np.minimum(life + 1, 10_000)).astype(np.int16)
    often = np.where(one_day, 1.2, rng.gamma(0.9, 0.45, total)) + 0.03
    return Shoppers(
        user_id=_ids(rng, plan, first_day),
        first_day=first_day,
        last_day=last_day.astype(np.int16),
        weight=np.rint(often * _WEIGHT_UNIT).astype(np.int32),
        readiness=np.exp(rng.normal(-1.8, 2.1, total)).astype(np.float32),
    )
