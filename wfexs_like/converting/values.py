"""Values: what is told of something, as the attributes of a statement; nothing where nothing is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from wfexs_like.converting.statements import Attribute, Value


def known(*attributes: tuple[str | None, Value | None]) -> tuple[Attribute, ...]:
    """Those of which anything is told."""
    return tuple((uri, value) for uri, value in attributes if uri is not None and value is not None and value != "")


def value(value: object) -> Value:
    """A parameter's value: a scalar as it is, everything else as JSON."""
    if isinstance(value, str | bool | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def measured(name: str, value: object, unit: str | None) -> str:
    """A quantity on one line, since a plain number would leave its unit behind."""
    amount = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"{name}: {amount} {unit}" if unit else f"{name}: {amount}"


def joined(*words: str | None) -> str | None:
    """Those that there are, in one text."""
    return " ".join(one for one in words if one) or None


def moment(time: datetime | None) -> datetime | None:
    """In UTC, where that is a time at all."""
    if time is None:
        return None
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return time
