"""The synthetic product catalog: categories, brands, prices, popularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from generator import published

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Popularity is quantized to slots, so that one table lookup draws a product.
SLOTS: Final = 1 << 22
# Buyers view coded categories more often than other visitors do; this factor for the uncoded ones
# in plain visits restores the published share over all rows.
UNCODED_VISIT_FACTOR: Final = 1.06
# The figures by code come from few rows; the shift restores the published mean and median.
CODED_PRICE_SHIFT: Final = 0.08
PRICE_PERIOD_SECONDS: Final = 61 * 86_400
_SYLLABLES: Final = tuple(c + v for c in "bdfgklmnprstvz" for v in "aeiou")


@dataclass(frozen=True)
class ProductCatalog:
    """Arrays over products (P), categories (C), roots (R); products are sorted by category."""

    product_id: Ints
    category: npt.NDArray[np.int32]
    brand: npt.NDArray[np.int32]
    base_cents: Ints
    versions_per_second: Floats
    version_phase: Floats
    brandless_until: npt.NDArray[np.int32]
    """Second until which the brand is missing; 0 for all products but a few."""
    sellable: npt.NDArray[np.int32]
    """The product itself, or the one that is bought in place of a product with price 0."""
    category_id: Ints
    category_code: tuple[str, ...]
    category_first_slot: Ints
    category_slots: Ints
    root_first_slot: Ints
    root_slots: Ints
    slot_product: npt.NDArray[np.int32]
    brand_names: tuple[str, ...]


def product_count(events: int) -> int:
    """Return the number of products for a number of events.

    The exponent is that of the real data: 6,814 products in 18,117 rows, 206,876 in 110 M.
    """
    grown = published.PRODUCTS * float((events / published.EVENTS) ** 0.4)
    return max(20, round(min(grown, events / 5)))


def allocate(weights: Floats, total: int) -> Ints:
    """Split `total` into integers in proportion to `weights`, by largest remainder."""
    exact = weights / weights.sum() * total
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return np.asarray(counts, dtype=np.int64)


def _brand_name(index: int) -> str:
    """Return a pronounceable brand, different for every index below 343,000."""
    code = (index * 52_711 + 7_919) % len(_SYLLABLES) ** 3
    name = ""
    for _ in range(3):
        code, digit = divmod(code, len(_SYLLABLES))
        name += _SYLLABLES[digit]
    return name


@dataclass(frozen=True)
class _Categories:
    """Categories before products exist: one entry per category id."""

    root: Ints
    code: list[str]
    weight: Floats
    log_price: Floats
    log_price_deviation: Floats


def _categories(rng: np.random.Generator) -> _Categories:
    root, code, weight, log_price, deviation = [], [], [], [], []
    mean, between, within = published.UNCODED_LOG_PRICE
    uncoded = published.CATEGORY_IDS_WITHOUT_CODE
    # Golden-ratio quantiles spread even the first few categories evenly, so that the popular ones
    # do not move the shop's price level from seed to seed.
    spread = _normal_quantiles((0.5 + 0.618034 * np.arange(uncoded)) % 1.0 * 0.98 + 0.01)
    for k in range(uncoded):
        root.append(0)
        code.append("")
        weight.append((k + 1.5) ** -1.1)
        log_price.append(mean + between * float(spread[k]))
        deviation.append(within)
    names = [r.name for r in published.CATEGORY_ROOTS]
    for name, ids, share, mu, sd in published.CATEGORY_CODES:
        parts = (np.arange(ids) + 1.0) ** -1.2
        for part in parts / parts.sum():
            root.append(names.index(name.split(".")[0]))
            code.append(name)
            weight.append(share * float(part))
            log_price.append(
                mu + CODED_PRICE_SHIFT + (0.15 * float(rng.standard_normal()) if ids > 1 else 0.0)
            )
            deviation.append(sd)
    return _Categories(
        np.array(root), code, np.array(weight), np.array(log_price), np.array(deviation)
    )


def _allocate_products(products: int, categories: _Categories) -> Ints:
    """Return the products per category id; small catalogs leave rare categories empty."""
    per_root = allocate(
        np.array([r.products for r in published.CATEGORY_ROOTS], dtype=float), products
    )
    per_root = np.maximum(per_root, 1)
    counts = np.zeros(len(categories.code), dtype=np.int64)
    for root, total in enumerate(per_root):
        members = np.flatnonzero(categories.root == root)
        counts[members] = allocate(categories.weight[members] ** 0.6, int(total))
        # The heaviest category always has a product, or a tiny shop would sell no phones.
        heaviest = members[np.argmax(categories.weight[members])]
        counts[heaviest] = max(1, counts[heaviest])
    return counts


def _popularity(categories: _Categories, counts: Ints) -> Floats:
    """Return a weight per product: Zipf-Mandelbrot in a category, published shares of the roots."""
    root_events = np.array([sum(r.events) for r in published.CATEGORY_ROOTS], dtype=float)
    root_events[0] *= UNCODED_VISIT_FACTOR
    share = np.where(counts > 0, categories.weight, 0.0)
    # A longer history adds products with few views; those of the first million events keep their
    # shares. Every product has a slot, whatever its weight.
    known_share = min(1.0, product_count(1_000_000) / counts.sum())
    weights = []
    for category, n in enumerate(counts):
        root = categories.root[category]
        of_root = share[categories.root == root].sum()
        rank, known = np.arange(n) + 4.0, n * known_share + 4.0
        shape = np.minimum(rank, known) ** -0.95 * (known / np.maximum(rank, known)) ** 6
        # The array of an empty category is empty: do not divide by its sum.
        weights.append(root_events[root] * share[category] / of_root * shape / (shape.sum() or 1))
    return np.concatenate(weights)


def _quantile(points: tuple[tuple[float, float], ...], at: Floats) -> Floats:
    """Interpolate the published points log-linearly at the given quantiles."""
    probabilities, values = zip(*points, strict=True)
    result: Floats = np.exp(np.interp(at, probabilities, np.log(values)))
    return result


def price_changes() -> Ints:
    """Return 4,096 equally likely price changes, in parts per million of the base price."""
    at = (np.arange(2_048) + 0.5) / 2_048
    size = np.rint(_quantile(published.PRICE_CHANGE_QUANTILES, at) * 1e6).astype(np.int64)
    return np.concatenate([size, -size])


def _assign_brands(
    rng: np.random.Generator,
    categories: _Categories,
    counts: Ints,
    weights: Floats,
) -> tuple[npt.NDArray[np.int32], tuple[str, ...], Floats, Floats]:
    """Return the brand of every product (0: none), the names, and ln(price) mean and deviation."""
    total = int(counts.sum())
    made_up = max(30, round(published.BRANDS * (total / published.PRODUCTS) ** 0.75))
    names = dict.fromkeys(("", *(brand[0] for brand in published.SMARTPHONE_BRANDS)))
    for known in published.BRANDS_BY_ROOT.values():
        names.update(dict.fromkeys(known))
    first_made_up = len(names)
    names.update(dict.fromkeys(_brand_name(i) for i in range(made_up)))
    index = {name: i for i, name in enumerate(names)}
    brand = np.zeros(total, dtype=np.int32)
    mu = np.repeat(categories.log_price, counts)
    sd = np.repeat(categories.log_price_deviation, counts)
    first = 0
    for category, n in enumerate(counts):
        rows = slice(first, first + int(n))
        first += int(n)
        root = published.CATEGORY_ROOTS[categories.root[category]]
        if categories.code[category] == "electronics.smartphone":
            shares = np.array([b[1] for b in published.SMARTPHONE_BRANDS])
            # Brands alternate over all ranks, so that shares hold for rows as well as for products.
            points = (0.5 + 0.618034 * np.arange(n)) % 1.0
            pick = np.searchsorted(np.cumsum(shares / shares.sum()), points)
            brand[rows] = [index[b[0]] for b in np.array(published.SMARTPHONE_BRANDS)[pick]]
            mu[rows] = np.array([b[2] for b in published.SMARTPHONE_BRANDS])[pick]
            sd[rows] = np.array([b[3] for b in published.SMARTPHONE_BRANDS])[pick]
        else:
            known_here = [index[b] for b in published.BRANDS_BY_ROOT.get(root.name, ())]
            others = rng.integers(first_made_up, len(names), max(3, int(n) // 8))
            pool = np.concatenate([known_here, others]).astype(np.int32)
            brand[rows] = pool[(rng.random(int(n)) ** 2 * len(pool)).astype(np.int64)]
        _remove_brands(rng, brand[rows], weights[rows], root.brand_null)
    return brand, tuple(names), mu, sd


def _remove_brands(
    rng: np.random.Generator, brand: npt.NDArray[np.int32], weights: Floats, share: float
) -> None:
    """Remove the brand of random products until `share` of the rows has none."""
    if not len(brand):
        return
    order = rng.permutation(len(brand))
    reached = np.cumsum(weights[order]) / weights.sum()
    # Round up or down at random: small categories keep the share on average.
    chosen = order[reached - weights[order] / weights.sum() * rng.random() < share]
    brand[chosen[weights[chosen] <= share * weights.sum()]] = 0


def _price_versions(rng: np.random.Generator, weights: Floats) -> Ints:
    """Draw the number of prices in the period; popular products tend to have more."""
    n = len(weights)
    score = np.argsort(np.argsort(weights, kind="stable"), kind="stable") / n + rng.random(n)
    order = np.argsort(score, kind="stable")
    versions = np.ones(n, dtype=np.int64)
    counts = allocate(np.array([share for share, _, _ in published.PRICE_VERSIONS]), n)
    first = 0
    for count, (_, low, high) in zip(counts, published.PRICE_VERSIONS, strict=True):
        drawn = low * (high / low) ** rng.random(int(count))
        versions[order[first : first + int(count)]] = np.rint(drawn)
        first += int(count)
    return versions


def _zero_priced(rng: np.random.Generator, weights: Floats) -> npt.NDArray[np.bool_]:
    """Flag unpopular products that together have the published share of zero-price rows."""
    share = published.ZERO_PRICE_ROWS / published.EVENTS
    order = rng.permutation(len(weights))
    small = order[weights[order] < weights.sum() * share / 3]
    chosen = small[np.cumsum(weights[small]) <= share * weights.sum()]
    flags = np.zeros(len(weights), dtype=np.bool_)
    flags[chosen] = True
    return flags


def _normal_quantiles(at: npt.NDArray[np.floating[Any]]) -> Floats:
    # Importing it takes longer than all else that a command imports.
    from scipy.special import ndtri

    quantiles: Floats = ndtri(at)
    return quantiles


def _base_cents(
    rng: np.random.Generator, rank: Ints, log_price: Floats, log_price_deviation: Floats
) -> Ints:
    """Return each product's price in cents, log-normal and spread over a category's ranks."""
    at = (rank * 0.754878 + 0.5 + 0.1 * rng.random(len(rank))) % 1.0 * 0.998 + 0.001
    price = np.exp(log_price + log_price_deviation * _normal_quantiles(at))
    cents: Ints = np.rint(price * 100).astype(np.int64)
    return np.clip(cents, published.LOWEST_PRICE_CENTS, published.PRICE_CEILING_CENTS)


def _sellable(zero: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return each product's own index, or that of the next one with a price if its own is 0."""
    priced = np.flatnonzero(~zero)
    product = np.arange(len(zero))
    product[zero] = priced[np.searchsorted(priced, product[zero]).clip(0, len(priced) - 1)]
    return product.astype(np.int32)


def _brandless_until(
    rng: np.random.Generator, brand: npt.NDArray[np.int32], weights: Floats, period_seconds: int
) -> npt.NDArray[np.int32]:
    """Return the second until which each product has no brand: 0 except for a few popular ones."""
    total = len(weights)
    until = np.zeros(total, dtype=np.int32)
    flips = max(1, round(published.BRAND_FLIPPING_PRODUCTS * total / published.PRODUCTS))
    popular = np.argsort(-weights, kind="stable")[: max(flips, total // 4)]
    popular = popular[brand[popular] > 0]
    flipping = rng.choice(popular, min(flips, len(popular)), replace=False)
    until[flipping] = (rng.uniform(0.2, 0.8, len(flipping)) * period_seconds).astype(np.int32)
    return until


def _product_ids(rng: np.random.Generator, rank: Ints, category: Ints, categories: int) -> Ints:
    """Return ids of seven digits: the category, then a serial number that rises with the rank."""
    # Coded categories first, as in the shop: its phones are numbered 10xxxxx.
    number = (category - published.CATEGORY_IDS_WITHOUT_CODE) % categories + 10
    serial = 100 + rank * 7 + rng.integers(0, 7, len(rank))
    return np.asarray(number * 100_000 + serial, dtype=np.int64)


def _first_slots(slots: Ints, members: Ints) -> Ints:
    """Return the first slot of each group of products, and the end of the last group."""
    edges = np.concatenate([[0], np.cumsum(slots)])
    return np.asarray(edges[np.concatenate([[0], np.cumsum(members)])], dtype=np.int64)


def build_catalog(events: int, period_seconds: int, seed: int) -> ProductCatalog:
    """Build the catalog for `events` events over `period_seconds`; deterministic for its input."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0])))
    categories = _categories(rng)
    counts = _allocate_products(product_count(events), categories)
    weights = _popularity(categories, counts)
    total = len(weights)
    category = np.repeat(np.arange(len(counts)), counts)
    rank = np.concatenate([np.arange(n) for n in counts])

    # Keep the order of the draws: it determines which catalog a seed gives.
    brand, brand_names, log_price, deviation = _assign_brands(rng, categories, counts, weights)
    base_cents = _base_cents(rng, rank, log_price, deviation)
    zero = _zero_priced(rng, weights)
    versions = _price_versions(rng, weights)
    brandless_until = _brandless_until(rng, brand, weights, period_seconds)
    product_id = _product_ids(rng, rank, category, len(counts))
    version_phase = rng.uniform(0.001, 0.999, total)
    category_offsets = rng.integers(0, 1_000_000, len(counts))

    # Each product keeps at least one slot, so that every product can be drawn.
    slots = 1 + allocate(weights, SLOTS - total)
    category_edges = _first_slots(slots, counts)
    per_root = np.bincount(categories.root, weights=counts).astype(np.int64)
    root_edges = _first_slots(slots, per_root)
    return ProductCatalog(
        product_id=product_id,
        category=category.astype(np.int32),
        brand=brand,
        base_cents=np.where(zero, 0, base_cents),
        versions_per_second=(versions - 1) / PRICE_PERIOD_SECONDS,
        version_phase=version_phase,
        brandless_until=brandless_until,
        sellable=_sellable(zero),
        category_id=2_053_013_552_226_107_603
        + np.arange(len(counts)) * 18_790_481
        + category_offsets,
        category_code=tuple(categories.code),
        category_first_slot=category_edges[:-1],
        category_slots=np.diff(category_edges),
        root_first_slot=root_edges[:-1],
        root_slots=np.diff(root_edges),
        slot_product=np.repeat(np.arange(total, dtype=np.int32), slots),
        brand_names=brand_names,
    )
