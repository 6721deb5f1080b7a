"""Writes the events of a day to a CSV file in the published format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from gzip import GzipFile
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from generator import published
from generator.catalog import Ints, ProductCatalog, price_changes
from generator.clickstream import Clickstream, Events
from generator.malformed import spoil
from generator.plan import DAY, LATE, Plan
from generator.visits import Int32s
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES

HEADER: Final = (",".join(PUBLISHED_COLUMN_NAMES) + "\n").encode()
_EVENT_TYPES: Final = ("view", "cart", "purchase")
_MILLION: Final = 1_000_000


def file_name(plan: Plan, day: int) -> str:
    """Return the name of the file of a day."""
    return f"events_{plan.date(day).isoformat()}.csv{'.gz' if plan.is_gzipped else ''}"


def is_file_name(name: str) -> bool:
    """Return whether the name is one that `file_name` gives."""
    return re.fullmatch(r"events_\d{4}-\d\d-\d\d\.csv(\.gz)?", name) is not None


def partial_name(name: str) -> str:
    """Return the name of an unfinished file, which hides it from loaders."""
    return f".{name}.partial"


def _fixed_width(text: npt.NDArray[np.uint8]) -> pa.StringArray:
    """Wrap ASCII texts of equal length, one per row of the matrix."""
    count, width = text.shape
    offsets = np.arange(0, width * count + 1, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))


def _texts(values: Sequence[str]) -> pa.StringArray:
    """Wrap texts of any length."""
    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))
    )


def _integers(values: npt.NDArray[Any]) -> pa.Array:
    """Wrap integers without a copy.

    `pa.array` would import pandas, which takes longer than generating 100,000 events.
    """
    values = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def uuid_texts(uuid: npt.NDArray[np.uint8]) -> pa.StringArray:
    """Format UUIDs (S x 16 bytes) in canonical form; the nil UUID becomes the empty text."""
    digits = np.frombuffer(uuid.tobytes().hex().encode(), dtype=np.uint8).reshape(-1, 32)
    text = np.full((len(digits), 36), ord("-"), dtype=np.uint8)
    for start, end, at in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, at : at + end - start] = digits[:, start:end]
    texts = _fixed_width(text)
    missing = np.flatnonzero(~uuid.any(axis=1))
    if not len(missing):
        return texts
    with_gaps = texts.to_pylist()
    for at in missing.tolist():
        with_gaps[at] = ""
    return _texts(with_gaps)


def price_cents(catalog: ProductCatalog, product: Int32s, seconds: Int32s) -> Ints:
    """Return the price in cents of each product at each second of the run."""
    version = np.floor(
        catalog.version_phase[product] + catalog.versions_per_second[product] * seconds
    ).astype(np.uint64)
    # A hash replaces a table of all prices of all products.
    mixed = (product.astype(np.uint64) << np.uint64(20)) + version
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    change = price_changes()[(mixed >> np.uint64(52)).astype(np.int64)]
    base = catalog.base_cents[product]
    changed = (base * (_MILLION + change) + _MILLION // 2) // _MILLION
    changed = np.clip(changed, published.LOWEST_PRICE_CENTS, published.PRICE_CEILING_CENTS)
    return np.where((version == 0) | (base == 0), base, changed)


class DayWriter:
    """Writes any day of a plan; caches what the days share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.clickstream = Clickstream(plan)

    @cached_property
    def _price_texts(self) -> pa.StringArray:
        """The text of each price in cents from 0 to the ceiling."""
        ranges = []
        for digits in range(1, len(str(published.PRICE_CEILING_CENTS)) - 1):
            low = 10 ** (digits + 1) if digits > 1 else 0
            cents = np.arange(low, min(10 ** (digits + 2), published.PRICE_CEILING_CENTS + 1))
            text = np.full((len(cents), digits + 3), ord("."), dtype=np.uint8)
            for at in (*range(digits), digits + 1, digits + 2):
                places = digits + 2 - at - (at < digits)
                text[:, at] = cents // 10**places % 10 + ord("0")
            ranges.append(_fixed_width(text))
        return pa.concat_arrays(ranges)

    @cached_property
    def _seconds_of_a_day(self) -> npt.NDArray[np.void]:
        """The 86,400 time texts of a day, without its date."""
        second = np.arange(DAY)
        text = np.tile(np.frombuffer(b"0000-00-00 00:00:00 UTC", dtype=np.uint8), (DAY, 1))
        for at, number in ((11, second // 3_600), (14, second // 60 % 60), (17, second % 60)):
            text[:, at] += (number // 10).astype(np.uint8)
            text[:, at + 1] += (number % 10).astype(np.uint8)
        return text.view([("date", "S10"), ("time", "S13")]).ravel()

    def _time_texts(self, day: int, second: Int32s) -> pa.StringArray:
        """Format seconds of a day."""
        text = self._seconds_of_a_day[second]
        text["date"] = self.plan.date(day).isoformat().encode()
        return _fixed_width(text.view(np.uint8).reshape(len(second), text.dtype.itemsize))

    @cached_property
    def _product_texts(self) -> tuple[pa.StringArray, pa.StringArray, pa.StringArray]:
        catalog = self.clickstream.catalog
        category = _integers(catalog.category)
        return (
            _integers(catalog.product_id).cast(pa.string()),
            _integers(catalog.category_id).cast(pa.string()).take(category),
            _texts(catalog.category_code).take(category),
        )

    @cached_property
    def _brand_texts(self) -> pa.StringArray:
        return _texts(self.clickstream.catalog.brand_names)

    def write(self, day: int, folder: Path) -> int:
        """Write the file of a day and return its number of rows.

        The file gets its name when it is complete, so that loaders never see a partial file.
        """
        target = folder / file_name(self.plan, day)
        partial = folder / partial_name(target.name)
        rows = 0
        with partial.open("wb") as raw, self._written(raw) as file:
            file.write(HEADER)
            for number, events in enumerate(self._in_order(day)):
                file.write(self._lines(day, number, events))
                rows += len(events.time)
        partial.replace(target)
        return rows

    def _written(self, file: BinaryIO) -> AbstractContextManager[BinaryIO]:
        """Return a file to write lines to."""
        if not self.plan.is_gzipped:
            return nullcontext(file)
        # Without name and time, so that the same plan gives the same bytes. The fastest level: a
        # higher one takes longer than generating what it compresses.
        zipped = GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0)
        return cast(AbstractContextManager[BinaryIO], zipped)

    def _in_order(self, day: int) -> Iterator[Events]:
        """Yield the day's events in batches, sorted by time within and across batches."""
        midnight = day * DAY
        pending = Events.empty()
        if day:
            for window in self.plan.windows(day - 1):
                if window.start >= LATE:
                    events = self.clickstream.window(day - 1, window)
                    pending = pending.followed_by(events.where(events.time >= midnight))
        for window in self.plan.windows(day):
            events = pending.followed_by(self.clickstream.window(day, window))
            due = events.time < midnight + window.end
            pending = events.where(~due)
            # Unique keys: the order within a second must not depend on the sorting algorithm.
            keys = (events.time.astype(np.int64) << 32) | np.arange(len(due))
            yield events.take(np.sort(keys[due]) & 0xFFFFFFFF)

    def _lines(self, day: int, number: int, events: Events) -> bytes | memoryview:
        """Format the events of one day."""
        catalog = self.clickstream.catalog
        product, session = _integers(events.product), _integers(events.session)
        brand = catalog.brand[events.product]
        brand[events.time < catalog.brandless_until[events.product]] = 0
        cents = price_cents(catalog, events.product, events.time)
        if self.clickstream.planted:
            self.clickstream.planted.move_prices(catalog, events.product, events.time // DAY, cents)
        columns = [
            (_integers(events.event_type), _texts(_EVENT_TYPES)),
            *((product, texts) for texts in self._product_texts),
            (_integers(brand), self._brand_texts),
            (_integers(cents.astype(np.int32)), self._price_texts),
            (session, _integers(events.user_id).cast(pa.string())),
            (session, uuid_texts(events.uuid)),
        ]
        table = pa.record_batch(
            [
                self._time_texts(day, events.time - day * DAY),
                *(pa.DictionaryArray.from_arrays(index, texts) for index, texts in columns),
            ],
            names=list(PUBLISHED_COLUMN_NAMES),
        )
        buffer = pa.BufferOutputStream()
        # No value needs quotes and null is the empty text, so the fastest style is correct.
        csv.write_csv(table, buffer, csv.WriteOptions(include_header=False, quoting_style="none"))
        lines = buffer.getvalue()
        if not self.plan.dirty_share:
            return memoryview(lines)
        rng = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([self.plan.seed, 5, day, number]))
        )
        return spoil(bytes(lines), self.plan.dirty_share, rng)
