"""Generated orders: their number a day, who places them, and that they arrive in the files."""

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy as np
import pytest

from generator.clickstream import Clickstream
from generator.orders import Orders, draw_orders
from generator.plan import Plan
from generator.visits import PURCHASE

PLAN = Plan(400_000, date(2019, 10, 1), 61, 42)
PROMOTION_WITHOUT_PURCHASES = 45


@pytest.fixture(scope="module")
def orders() -> Orders:
    return draw_orders(PLAN)


@pytest.fixture(scope="module")
def days(orders: Orders) -> np.ndarray:
    """The day of each order."""
    return np.repeat(np.arange(PLAN.days), PLAN.day_orders)


def test_every_day_has_the_orders_of_its_windows(orders: Orders) -> None:
    assert len(orders.buyer) == PLAN.day_orders.sum()
    for day in range(PLAN.days):
        slices = [PLAN.orders(day, window) for window in PLAN.windows(day)]
        assert sum(part.stop - part.start for part in slices) == PLAN.day_orders[day]
    assert PLAN.day_orders[PROMOTION_WITHOUT_PURCHASES] == 0


def test_windows_too_small_for_an_order_share_one() -> None:
    small = Plan(1_000, date(2019, 10, 1), 61, 42)
    assert small.day_orders.sum() == pytest.approx(1_000 * 1_402_758 / 109_950_743, abs=1)


def test_no_buyer_orders_twice_a_day(orders: Orders, days: np.ndarray) -> None:
    assert len(np.unique([orders.buyer, days], axis=1).T) == len(orders.buyer)


def test_first_and_last_day_are_those_of_the_orders(orders: Orders, days: np.ndarray) -> None:
    for buyer in range(0, len(orders.first_day), 97):
        own = days[orders.buyer == buyer]
        assert (own.min(), own.max()) == (orders.first_day[buyer], orders.last_day[buyer])
        assert len(own) == orders.count[buyer]
    assert np.all(np.diff(orders.first_day) >= 0)


def test_known_buyers_who_could_not_order_do_so_the_day_after(
    orders: Orders, days: np.ndarray
) -> None:
    def known(day: int) -> int:
        return int(np.sum(orders.first_day[orders.buyer[days == day]] < day))

    day_after = PROMOTION_WITHOUT_PURCHASES + 1
    assert known(day_after) > 1.4 * np.mean([known(day) for day in range(day_after - 9, day_after)])


def test_another_seed_gives_other_buyers(orders: Orders) -> None:
    other = draw_orders(Plan(400_000, date(2019, 10, 1), 61, 43))
    assert len(other.buyer) == len(orders.buyer)
    assert not np.array_equal(other.buyer, orders.buyer)


def test_the_events_of_a_day_have_its_orders_and_no_other_purchases() -> None:
    stream = Clickstream(PLAN)
    for day in (0, 20, PROMOTION_WITHOUT_PURCHASES, 47, 60):
        bought: Counter[int] = Counter()
        for window in PLAN.windows(day):
            events = stream.window(day, window)
            sessions = np.unique(events.session[events.event_type == PURCHASE])
            bought.update(events.user_id[sessions].tolist())
        part = slice(*PLAN.order_offsets[PLAN.first_windows[[day, day + 1]]])
        planned = Counter(stream.shoppers.user_id[stream.shoppers.buyer[part]].tolist())
        assert planned.total() == PLAN.day_orders[day]
        # Sessions with an odd identity count for another user.
        assert (planned - bought).total() <= 3
        assert (bought - planned).total() <= 3


def test_buyers_visit_from_before_their_first_order_to_after_their_last(orders: Orders) -> None:
    shoppers = Clickstream(PLAN).shoppers
    assert len(np.unique(shoppers.buyer)) == len(orders.first_day)
    user = np.full(len(orders.first_day), -1)
    user[orders.buyer] = shoppers.buyer
    assert np.all(shoppers.first_day[user] <= orders.first_day)
    assert np.all(shoppers.last_day[user] >= orders.last_day)
