"""Moments: times as crates tell them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from wfexs_like.reading.graph import Remarks

_LONGEST: Final = 64


def moment(value: object, remarks: Remarks) -> datetime | None:
    """A time in UTC; ``None`` where it is none. One without a zone is taken as UTC."""
    if isinstance(value, list):
        value = next((one for one in value if isinstance(one, str)), None)
    if value is None or value == "":
        return None
    text = value.strip() if isinstance(value, str) else ""
    try:
        if not text or len(text) > _LONGEST:
            raise ValueError
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            remarks.add("times without a zone are taken as UTC")
            return found.replace(tzinfo=UTC)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        remarks.add("a time that is none is left out" if not text else f"{text[:_LONGEST]!r} is taken for no time")
        return None


def stated(text: str) -> str:
    """A date as it is told; with a time, to the second and in UTC. What is neither is given back."""
    try:
        found = datetime.fromisoformat(text.strip())
        if len(text) > _LONGEST or "T" not in text or found.tzinfo is None:
            return text
        return f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return text


def seconds_between(started: datetime | None, ended: datetime | None, remarks: Remarks) -> float | None:
    """Seconds from one to the other; ``None`` where one isn't told or the end is before the start."""
    if started is None or ended is None:
        return None
    seconds = (ended - started).total_seconds()
    if seconds < 0:
        remarks.add("something is told to have ended before it started: how long it took is left out")
        return None
    return seconds
