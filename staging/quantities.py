"""Amounts as people write them: ``4 GiB``, ``2h``, ``1h 30m``."""

from __future__ import annotations

import re

_MEMORY_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
# The words are those of Nextflow's durations.
_TIME_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60}
_TIME_UNITS |= {"h": 3600, "hour": 3600, "d": 86400, "day": 86400}

# The schema of the stage file holds the same two patterns.
MEMORY_PATTERN = r"^\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)\s*$"
TIME_PATTERN = r"^\s*(?:[0-9]{1,12}(?:\.[0-9]{1,12})?\s*(?:seconds?|sec|s|minutes?|min|m|hours?|h|days?|d)\s*)+$"
# Enough for any amount; a pattern with a repeated group takes hundreds of bytes of memory for each repetition.
MAX_LENGTH = 100
_MEMORY = re.compile(MEMORY_PATTERN)
_TIME = re.compile(TIME_PATTERN)
_TIME_PART = re.compile(r"([0-9.]+)\s*([a-z]+)")


def parse_memory(text: str) -> int | None:
    """Bytes, or ``None`` when ``text`` is no amount of memory. ``GB`` is decimal, ``GiB`` binary, ``G`` is neither."""
    match = _MEMORY.match(text) if len(text) <= MAX_LENGTH else None
    return None if match is None else int(float(match.group(1)) * _MEMORY_UNITS[match.group(2)])


def parse_time(text: str) -> int | None:
    """Seconds, or ``None`` when ``text`` is no time span; the parts are added up."""
    if len(text) > MAX_LENGTH or _TIME.match(text) is None:
        return None
    return int(sum(float(amount) * _seconds(unit) for amount, unit in _TIME_PART.findall(text)))


def _seconds(unit: str) -> int:
    return _TIME_UNITS[unit if unit in _TIME_UNITS else unit.removesuffix("s")]
