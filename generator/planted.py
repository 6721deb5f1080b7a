"""What is planted in the events, so that analyses can be checked: pairs, an elasticity, loyalty.

All of it concerns popular products, and only sessions that buy. The truth is what `truth` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from generator import published
from generator.catalog import Floats, Ints, ProductCatalog
from generator.visits import PURCHASE, VIEW, Actions, Int32s, Rows

# Sells most: its products are popular enough to be measured in a million events.
CATEGORY: Final = "electronics.smartphone"
# Each is bought in addition to one of the three most popular products of the category.
COMPANION_CATEGORIES: Final = (
    "electronics.audio.headphone",
    "electronics.clocks",
    "electronics.audio.subwoofer",
)
# Its most popular product is bought in addition to anything.
INDEPENDENT_CATEGORY: Final = "electronics.audio.acoustic"
# Chances of the addition in an order, where two views follow the purchase.
COMPANION_CHANCE: Final = 0.8
INDEPENDENT_CHANCE: Final = 0.06
# Products whose price moves once, half of them up and half of them down, so that neither the
# category's prices nor its purchases move.
PRICED_PRODUCTS: Final = 20
# With fewer days there is no week on each side.
FEWEST_DAYS: Final = 21
# The prices are the base price times and by this: large enough to be seen, within what moves in
# the published prices.
PRICE_STEP: Final = 1.3
# Arc elasticity, as defined in the mart `price_changes`.
ELASTICITY: Final = -1.5
# Probability that the next purchase in the category is of the same brand.
LOYALTY: Final = 0.6


@dataclass(frozen=True)
class Brands:
    """The products of the category with a brand and a price, by brand, with running popularity.

    `first` and `last` are positions of each brand (B) in `product`; `up_to` is the share of all
    brands up to it, 1 for the last one.
    """

    brand: Int32s
    up_to: Floats
    product: Int32s
    running: Floats
    first: Ints
    last: Ints

    @classmethod
    def of(cls, catalog: ProductCatalog, products: Ints) -> Brands:
        """Group these products."""
        product = products[np.argsort(catalog.brand[products], kind="stable")]
        weight = _slots(catalog, product)
        brand, first, count = np.unique(
            catalog.brand[product], return_index=True, return_counts=True
        )
        running = np.concatenate([[0], np.cumsum(weight)]).astype(float)
        up_to = running[first + count] / running[-1]
        return cls(brand, up_to, product.astype(np.int32), running, first, first + count)

    def draw(self, rng: np.random.Generator, brand: Int32s) -> Int32s:
        """Draw a product of each brand by popularity; all brands have one."""
        position = np.searchsorted(self.brand, brand)
        low, high = self.running[self.first[position]], self.running[self.last[position]]
        at = np.searchsorted(self.running, low + rng.random(len(brand)) * (high - low), "right")
        return self.product[np.clip(at - 1, self.first[position], self.last[position] - 1)]


@dataclass(frozen=True)
class Planted:
    """Products are positions in the catalog.

    `step` is over all products: 1 for a price that moves up on `day`, -1 for one that moves down.
    `is_replaceable` is over all brands: whether there are replacements of it.
    """

    seed: int
    category: int
    pairs: tuple[tuple[int, int], ...]
    independent: int
    step: npt.NDArray[np.int8]
    day: int
    brands: Brands
    replacements: Brands
    is_replaceable: npt.NDArray[np.bool_]
    loyal_buyers: float

    def apply(
        self,
        rng: np.random.Generator,
        catalog: ProductCatalog,
        day: int,
        rows: Rows,
        actions: Actions,
        user: Ints,
        product: Int32s,
    ) -> None:
        """Plant in the sessions of a window, whose `user` (S) and `product` (N) are drawn."""
        sessions = np.flatnonzero(actions.buys)
        if not len(sessions):
            return
        size = rows.size[sessions]
        buying = np.arange(int(size.sum()))
        buying += np.repeat(rows.first[sessions] - (np.cumsum(size) - size), size)
        # A run is a product's rows one after the other, with what leads to its purchase.
        opens = ~rows.same[buying]
        run = np.cumsum(opens) - 1
        opening = buying[opens]
        chosen = product[opening]
        bought = np.bincount(run, rows.event_type[buying] == PURCHASE) > 0
        self._keep_brands(rng, catalog, user[rows.session[opening]], chosen)
        self._respond_to_prices(rng, catalog, day, bought, chosen)
        product[buying] = chosen[run]
        self._add_products(rng, rows, sessions, actions.at[sessions], product)

    def move_prices(
        self, catalog: ProductCatalog, product: Int32s, day: Int32s, cents: Ints
    ) -> None:
        """Replace the price in cents of the products (N) with a planted change."""
        step = self.step[product]
        moved = np.flatnonzero(step)
        is_high = (step[moved] > 0) == (day[moved] >= self.day)
        base = catalog.base_cents[product[moved]]
        cents[moved] = np.rint(np.where(is_high, base * PRICE_STEP, base / PRICE_STEP))

    def _keep_brands(
        self, rng: np.random.Generator, catalog: ProductCatalog, user: Ints, chosen: Int32s
    ) -> None:
        """Give loyal buyers products of their brand, which a hash of the buyer decides."""
        inside = np.flatnonzero(catalog.category[chosen] == self.category)
        mixed = (user[inside].astype(np.uint64) + np.uint64(self.seed)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(32)
        is_loyal = (mixed >> np.uint64(40)) / 2.0**24 < self.loyal_buyers
        at = (mixed & np.uint64(0xFFFFFF)) / 2.0**24
        favorite = self.brands.brand[np.searchsorted(self.brands.up_to, at)]
        changes = is_loyal & (catalog.brand[chosen[inside]] != favorite)
        chosen[inside[changes]] = self.brands.draw(rng, favorite[changes])

    def _respond_to_prices(
        self,
        rng: np.random.Generator,
        catalog: ProductCatalog,
        day: int,
        bought: npt.NDArray[np.bool_],
        chosen: Int32s,
    ) -> None:
        """Sell less at the higher price: something else of the brand is bought instead."""
        step = self.step[chosen]
        dear = step != 0
        dear &= bought & ((step > 0) == (day >= self.day))
        lost = np.flatnonzero(dear)
        lost = lost[rng.random(len(lost)) >= rate_ratio()]
        lost = lost[self.is_replaceable[catalog.brand[chosen[lost]]]]
        chosen[lost] = self.replacements.draw(rng, catalog.brand[chosen[lost]])

    def _add_products(
        self, rng: np.random.Generator, rows: Rows, sessions: Ints, purchase: Ints, product: Int32s
    ) -> None:
        """Turn two views after a session's purchase into a view and a purchase of another product.

        `purchase` is the position of the purchase in each of these sessions.
        """
        at = (rows.first[sessions] + purchase)[purchase + 2 < rows.size[sessions]]
        at = at[(rows.event_type[at + 1] == VIEW) & (rows.event_type[at + 2] == VIEW)]
        added = np.full(len(at), -1, dtype=np.int32)
        chance = rng.random(len(at))
        for one, other in self.pairs:
            added[(product[at] == one) & (chance < COMPANION_CHANCE)] = other
        # Whatever was bought, so that it depends on nothing.
        added[rng.random(len(at)) < INDEPENDENT_CHANCE] = self.independent
        at, added = at[added >= 0], added[added >= 0]
        product[at + 1] = product[at + 2] = added
        rows.event_type[at + 2] = PURCHASE
        for row in (at + 1, at + 2):
            rows.gap[row] = np.maximum(rows.gap[row], 1)


def rate_ratio() -> float:
    """Return the purchase rate at the higher price, relative to that at the lower one."""
    ratio = PRICE_STEP**2
    change = ELASTICITY * 2 * (ratio - 1) / (ratio + 1)
    return (2 + change) / (2 - change)


def _slots(catalog: ProductCatalog, products: Ints) -> Ints:
    """Return the number of slots of each product, its popularity."""
    wanted = products.astype(np.int32)
    last = np.searchsorted(catalog.slot_product, wanted, side="right")
    return np.asarray(last - np.searchsorted(catalog.slot_product, wanted), dtype=np.int64)


def _loyal_buyers(brands: Brands, branded_share: float) -> float:
    """Return the share of loyal buyers with which `LOYALTY` of the pairs keep the brand.

    Loyal buyers always do, the others by chance; a product without a brand is in no pair.
    """
    by_chance = float((np.diff(brands.up_to, prepend=0.0) ** 2).sum())
    weight = branded_share**2 * max(LOYALTY - by_chance, 0.0)
    return weight / (1 - LOYALTY + weight)


def plant(catalog: ProductCatalog, days: int, seed: int) -> Planted | None:
    """Choose what to plant, if the catalog is large enough; deterministic for its input."""

    def popular(code: str) -> Ints:
        """Return the products with a price of the code's largest category, popular ones first."""
        category = catalog.category_code.index(code)
        return np.flatnonzero((catalog.category == category) & (catalog.base_cents > 0))

    products = popular(CATEGORY)
    branded = products[catalog.brand[products] > 0]
    companions = [popular(code) for code in (*COMPANION_CATEGORIES, INDEPENDENT_CATEGORY)]
    first_priced = len(COMPANION_CATEGORIES)
    fits = catalog.base_cents[branded] * PRICE_STEP <= published.PRICE_CEILING_CENTS
    fits[:first_priced] = False
    priced = branded[fits][:PRICED_PRODUCTS]
    rest = np.setdiff1d(branded, priced)
    if len(priced) < PRICED_PRODUCTS or not len(rest) or not all(map(len, companions)):
        return None
    step = np.zeros(len(catalog.product_id), dtype=np.int8)
    if days >= FEWEST_DAYS:
        step[priced] = np.resize([1, -1], PRICED_PRODUCTS)
    brands, replacements = Brands.of(catalog, branded), Brands.of(catalog, rest)
    branded_share = _slots(catalog, branded).sum() / _slots(catalog, products).sum()
    return Planted(
        seed=seed % 2**64,
        category=int(catalog.category[products[0]]),
        pairs=tuple(
            (int(one), int(other[0])) for one, other in zip(branded, companions[:-1], strict=False)
        ),
        independent=int(companions[-1][0]),
        step=step,
        day=days // 3,
        brands=brands,
        replacements=replacements,
        is_replaceable=np.isin(np.arange(len(catalog.brand_names)), replacements.brand),
        loyal_buyers=_loyal_buyers(brands, branded_share),
    )


def truth(catalog: ProductCatalog, planted: Planted | None, first_day: date) -> dict[str, Any]:
    """Return what the marts should find: product ids, dates and values; empty for a small run."""
    if planted is None:
        return {}
    ids = catalog.product_id
    found: dict[str, Any] = {
        "affinity": {
            "pairs": [sorted((int(ids[one]), int(ids[other]))) for one, other in planted.pairs],
            "independent_product": int(ids[planted.independent]),
        },
        "brand_loyalty": {"category_code": CATEGORY, "probability": LOYALTY},
    }
    if planted.step.any():
        found["price_elasticity"] = {
            "products": sorted(int(id_) for id_ in ids[planted.step != 0]),
            "changed_date": (first_day + timedelta(planted.day)).isoformat(),
            "arc_elasticity": ELASTICITY,
        }
    return found
