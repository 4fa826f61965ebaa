"""Whether a JSON text from elsewhere holds more values than memory should be spent on: a small file may hold millions.

An empty map takes 3 bytes of text and 100 of memory, and packed it takes next to nothing.
"""

from __future__ import annotations

from typing import Final

MOST_VALUES: Final = 10_000_000
"""They take a gigabyte at worst; a crate with half a million files has about as many."""


def is_crowded(text: bytes) -> bool:
    """Whether a JSON text may have more than ``MOST_VALUES`` values: each follows a comma, a bracket or a brace."""
    return sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES
