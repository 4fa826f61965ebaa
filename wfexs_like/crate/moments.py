"""Moments: times in the one spelling that validators take."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str | None) -> str | None:
    """A time as UTC with ``+00:00`` and milliseconds; ``None`` stays so."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="milliseconds")
