"""Records: two streams of records held against each other, in order and without, in memory that doesn't grow.

Without order they are held against each other by the sum of their keyed hashes (128 bits, modulo 2^128).
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

MOST_REMEMBERED: Final = 200_000
_MODULUS: Final = 1 << 128
_SECRET: Final = os.urandom(32)

Record = tuple[bytes, bytes]
"""What tells one record from another, and how it begins."""

Records = Callable[[], AbstractContextManager[Iterator[Record]]]


class Multiset:
    """The sum of the hashes of some records."""

    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.total = 0
        self.count = 0

    def add(self, key: bytes) -> None:
        """Take one more."""
        self.count += 1
        digest = hashlib.blake2b(key, digest_size=16, key=_SECRET).digest()
        self.total = (self.total + int.from_bytes(digest)) % _MODULUS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first two records that differ: ``number`` counts from 1. ``reordered``: there are the same in both."""

    reordered: bool
    number: int
    a: bytes | None
    b: bytes | None


def compare_records(a: Records, b: Records) -> Difference | None:
    """The first difference; ``None`` where there is none.

    Of two that aren't the same without order either, it is the first record that the other one hasn't got, where
    they are few enough to be remembered.
    """
    ours, theirs = Multiset(), Multiset()
    first: Difference | None = None
    count = 0
    with a() as one, b() as other:
        for number, (left, right) in enumerate(zip_longest(one, other), 1):
            count = number
            if first is None:
                if left is not None and right is not None and left[0] == right[0]:
                    continue
                first = Difference(reordered=False, number=number, a=_head(left), b=_head(right))
            if left is not None:
                ours.add(left[0])
            if right is not None:
                theirs.add(right[0])
    if first is None:
        return None
    if (ours.count, ours.total) == (theirs.count, theirs.total):
        return Difference(reordered=True, number=first.number, a=first.a, b=first.b)
    return (_not_in_the_other(a, b) or first) if count <= MOST_REMEMBERED else first


def _not_in_the_other(a: Records, b: Records) -> Difference | None:
    """The first record that has no partner, of each side."""
    with a() as one, b() as other:
        left, right = Counter(_digest(key) for key, _ in one), Counter(_digest(key) for key, _ in other)
    found: list[tuple[int, bytes] | None] = []
    for records, lacking in ((a, left - right), (b, right - left)):
        with records() as stream:
            numbered = enumerate(stream, 1)
            found.append(next(((number, head) for number, (key, head) in numbered if _digest(key) in lacking), None))
    ours, theirs = found
    numbers = [one[0] for one in (ours, theirs) if one is not None]
    if not numbers:
        return None
    return Difference(
        reordered=False, number=min(numbers), a=ours[1] if ours else None, b=theirs[1] if theirs else None
    )


def _head(record: Record | None) -> bytes | None:
    return None if record is None else record[1]


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=16, key=_SECRET).digest()
