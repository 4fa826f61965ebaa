"""Digests and sizes as crates' metadata tell them.

Source: Workflow Run RO-Crate's terms for digests; RO-Crate 1.1, contentSize.
"""

from __future__ import annotations

import re
from typing import Final

DIGESTS: Final[dict[str, int]] = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
"""The terms for digests, with their number of hexadecimal digits."""

_HEXADECIMAL: Final = re.compile(r"[0-9a-f]+")
_LONGEST: Final = 200
_BYTES: Final = re.compile(r"([0-9]{1,19})(?:\s*[bB](?:ytes?)?)?")


def hexadecimal(value: object, algorithm: str) -> str | None:
    """A digest as it is compared, without its algorithm's name in front; ``None`` when it is none."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    digest = value.strip().lower().removeprefix(f"{algorithm}:")
    return digest if len(digest) == DIGESTS[algorithm] and _HEXADECIMAL.fullmatch(digest) else None


def byte_count(value: object) -> int | None:
    """A size in bytes; ``None`` for anything else, and for a rounded one (``1.4 MB``)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str):
        match = _BYTES.fullmatch(value.strip()) if len(value) <= _LONGEST else None
        return int(match[1]) if match else None
    return int(value) if 0 <= value < 1 << 63 and value == int(value) else None
