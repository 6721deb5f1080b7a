"""Ids that a spreadsheet or a floating-point number has rounded.

They break no rule: they only merge what they name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ingestion.typed_text import MAX_EXACT

# A column of ids is damaged if chance makes most of them look so in fewer than one of 1,000 files.
CHANCE: Final = 0.001
_LONG_ID: Final = re.compile("[1-9][0-9]{15,18}")
_LEAST_DIGITS: Final = len(str(MAX_EXACT))
_COARSE_ID: Final = re.compile("([1-9][0-9]{8,9})([.]0+)?")
# In this range the neighbors of a float of 32 bits are 32 to 256 apart. Below, ids may well be even
# or multiples of 4; above, those of 1,000 would look like such floats.
_COARSE: Final = range(1 << 28, 1 << 32)
_FEWEST_COARSE: Final = 50


def rounded_id(texts: Sequence[str], chance: float) -> int | None:
    """Return the position of an example of ids that are rounded, None if most are not.

    `chance` is the probability with which ids that are not rounded may look so.
    """
    long = {
        int(text): position
        for position, text in reversed(list(enumerate(texts)))
        if len(text) >= _LEAST_DIGITS and _LONG_ID.fullmatch(text)
    }
    rounded = _rounded({number for number in long if number > MAX_EXACT}, chance)
    return next((long[number] for number in reversed(long) if number in rounded), None)


def _rounded(ids: set[int], chance: float) -> set[int]:
    """Return those of ids above 2^53 that are rounded, if these are more than half of them.

    A spreadsheet keeps 15 significant digits, a float is written with 17 at most, and one of 64 or
    of 32 bits is a multiple of its spacing.
    """

    def found(steps: dict[int, int]) -> set[int]:
        fitting = {number for number, step in steps.items() if number % step == 0}
        ways = math.comb(len(ids), len(fitting))
        by_chance = ways * math.prod(1 / steps[number] for number in fitting)
        return fitting if 2 * len(fitting) > len(ids) and by_chance < chance else set()

    for significant in (15, 17):
        if fitting := found({n: 10 ** max(len(str(n)) - significant, 0) for n in ids}):
            return fitting
    for lost_bits in (0, 29):
        steps = {number: int(math.ulp(float(number))) << lost_bits for number in ids}
        fitting = found(steps)
        # Ids that a service numbers may all end in more zero bits than rounding explains.
        shared = math.gcd(*fitting)
        if fitting and shared & -shared < 8 * min(steps[number] for number in fitting):
            return fitting
    return set()


def short_float(texts: Iterable[str]) -> str:
    """Return an example of ids that have been floats of 32 bits, as small data frames have them.

    Empty if one of the large ones has not, or they are few: these could be so by design.
    """
    ids = {int(match[1]): match[0] for text in texts if (match := _COARSE_ID.fullmatch(text))}
    coarse = [number for number in ids if number in _COARSE]
    if len(coarse) < _FEWEST_COARSE or not all(map(_is_short_float, coarse)):
        return ""
    # Ids that a service numbers in larger steps look so as well.
    is_by_design = math.gcd(*coarse) > np.spacing(np.float32(min(coarse)))
    return "" if is_by_design else ids[min(coarse)]


def _is_short_float(number: int) -> bool:
    """Whether a float of 32 bits has this value, or is written so with its fewest digits."""
    value = np.float32(number)
    return number in (int(value), int(np.format_float_positional(value, trim="-")))
