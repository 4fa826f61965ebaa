"""The grammar of ``limits``: what a run may use at most, and amounts of memory and time in general."""

from __future__ import annotations

from collections.abc import Callable

from staging.definition import Limits
from staging.grammar import KEY, Cursor, as_integer, is_whole, read_fields
from staging.nodes import ScalarNode
from staging.quantities import parse_memory, parse_time

_LIMITS = {"cores": KEY, "memory": KEY, "time": KEY}
LIMITS = tuple(_LIMITS)
LARGEST_COUNT = 2**31 - 1
"""Engines and operating systems count with 32 bits: of processes, of retries, of seconds."""
LARGEST_CORES = 100_000


def read_limits(cursor: Cursor) -> Limits | None:
    """What ``limits`` says."""
    fields = read_fields(cursor, _LIMITS)
    if fields is None:
        return None
    return Limits(
        cores=fields.read("cores", lambda one: as_integer(one, 1, LARGEST_CORES)),
        memory=fields.read("memory", _read_memory),
        time=fields.read("time", as_time),
    )


def _read_memory(cursor: Cursor) -> int | None:
    return _read_amount(cursor, parse_memory, "a number of bytes, or an amount such as '4 GiB'")


def as_time(cursor: Cursor) -> int | None:
    """A time span, in seconds."""
    seconds = _read_amount(cursor, parse_time, "a number of seconds, or a time such as '2h'")
    if seconds is not None and seconds > LARGEST_COUNT:
        cursor.fault(f"a time can be {LARGEST_COUNT} seconds at most", structural=False)
        return None
    return seconds


def _read_amount(cursor: Cursor, parse: Callable[[str], int | None], what: str) -> int | None:
    node = cursor.node
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        if isinstance(node, ScalarNode) and is_whole(node.value):
            return as_integer(cursor, 1)
        cursor.expected(what)
        return None
    amount = parse(node.value)
    if amount is None:
        cursor.expected(what)
    elif amount < 1:
        cursor.fault("a limit can't be zero", structural=False)
    return amount
