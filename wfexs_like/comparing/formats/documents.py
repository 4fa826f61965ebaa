"""JSON: what is said counts, not how it is written; numbers with a fraction within a relative tolerance."""

from __future__ import annotations

import json
from typing import Any, Final

from wfexs_like.comparing.formats.tables import close
from wfexs_like.comparing.sources import Source
from wfexs_like.comparing.verdicts import Comparison, NotThatFormatError, different, equivalent

LARGEST: Final = 16 << 20


def compare_json(a: Source, b: Source, tolerance: float) -> Comparison:
    """Two JSON documents."""
    ours, theirs = (_read(side.whole(LARGEST)) for side in (a, b))
    found, rounded = compare_values(ours, theirs, tolerance)
    if found is not None:
        return found
    return equivalent("numbers differ within the tolerance" if rounded else "it is written differently")


def compare_values(a: Any, b: Any, tolerance: float) -> tuple[Comparison | None, bool]:
    """The first difference of two JSON values, ``None`` where there is none; and whether a number isn't the same."""
    rounded = False
    waiting: list[tuple[str, Any, Any]] = [("", a, b)]
    while waiting:
        where, left, right = waiting.pop()
        place = f"key {where}" if where else None
        if isinstance(left, dict) and isinstance(right, dict):
            missing = sorted(left.keys() ^ right.keys())
            if missing:
                name = f"key {where}/{missing[0]}" if where else f"key {missing[0]}"
                shown = (json.dumps(side[missing[0]])[:1000] if missing[0] in side else None for side in (left, right))
                return different("its keys differ", name, *shown), rounded
            waiting += [(f"{where}/{key}" if where else key, left[key], right[key]) for key in reversed(left)]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return different("a list has another length", place, len(left), len(right)), rounded
            pairs = list(zip(left, right, strict=True))
            waiting += [
                (f"{where}/{number}" if where else str(number), *pairs[number])
                for number in range(len(pairs) - 1, -1, -1)
            ]
        elif _numbers(left, right):
            rounded = rounded or repr(left) != repr(right)
            if not (left == right or (left != left and right != right) or close(left, right, tolerance)):  # noqa: PLR0124 - NaN
                return different("its values differ", place, left, right), rounded
        elif type(left) is not type(right) or left != right:
            return different("its values differ", place, _shown(left), _shown(right)), rounded
    return None, rounded


def _numbers(a: object, b: object) -> bool:
    """Whether both are numbers and one has a fraction; integers count as they are."""
    kinds = {type(a), type(b)}
    return kinds <= {int, float} and float in kinds


def _shown(value: object) -> str:
    return json.dumps(value)[:1000]


def _read(content: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    try:
        return json.loads(content, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise NotThatFormatError("it is no JSON document") from error
