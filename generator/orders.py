"""Who orders on which day: buyers differ in how often they order and in how soon they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from generator.catalog import Ints
from generator.plan import Plan

# A buyer orders at random times, at a rate a day that is Gamma(RATE_SHAPE) / RATE_DAYS, and leaves
# after an order with a probability that is Beta(LEAVES, STAYS). Fitted to orders per buyer and to
# the share of buyers who buy again.
RATE_SHAPE: Final = 1.7
RATE_DAYS: Final = 12.0
LEAVES: Final = 0.9
STAYS: Final = 0.6
_NEVER: Final = 10_000

Days = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Orders:
    """The buyer of every order in order of days (O), and the orders of every buyer (B).

    Buyers are numbered in order of their first day.
    """

    buyer: npt.NDArray[np.int32]
    first_day: Days
    last_day: Days

    @property
    def count(self) -> Ints:
        """The number of orders of each buyer."""
        return np.bincount(self.buyer, minlength=len(self.first_day))


def draw_orders(plan: Plan) -> Orders:
    """Draw the orders of a run; deterministic for the plan.

    Each day has the planned number: the orders of known buyers that are due, and first orders of
    new ones. Where more are due than planned, as on a day without purchases, the rest wait.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([plan.seed, 6])))
    total = int(plan.order_offsets[-1])
    mean_gap = RATE_DAYS / rng.standard_gamma(RATE_SHAPE, total)
    leaving = rng.beta(LEAVES, STAYS, total)
    due_day = np.full(total, _NEVER, dtype=np.int16)
    first_day, last_day = due_day.copy(), due_day.copy()
    known = 0
    ordering = [np.empty(0, dtype=np.int64)]
    for day, planned in enumerate(plan.day_orders.tolist()):
        due = rng.permutation(np.flatnonzero(due_day[:known] <= day))[:planned]
        new = np.arange(known, known + planned - len(due))
        known += len(new)
        today = rng.permutation(np.concatenate([due, new]))
        first_day[new] = day
        last_day[today] = day
        stays = rng.random(planned) >= leaving[today]
        gap = rng.random(planned) + rng.standard_exponential(planned) * mean_gap[today]
        due_day[today] = np.where(stays, np.minimum(day + gap, _NEVER), _NEVER)
        ordering.append(today)
    return Orders(np.concatenate(ordering).astype(np.int32), first_day[:known], last_day[:known])
