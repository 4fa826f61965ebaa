"""CSV and TSV: cells are held against each other, numbers with a fraction within a relative tolerance."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import IO, Final

from wfexs_like.comparing.records import Multiset
from wfexs_like.comparing.sources import Source, lines_of
from wfexs_like.comparing.verdicts import Comparison, NotThatFormatError, different, equivalent

_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?\s*", re.ASCII)
_LONGEST_NUMBER: Final = 64
_INTEGER: Final = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)


def close(a: float, b: float, tolerance: float) -> bool:
    """Whether two numbers differ by no more than the relative tolerance."""
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b))


def compare_tables(a: Source, b: Source, delimiter: str, tolerance: float) -> Comparison:
    """Two tables, row by row. The same rows in another order are different, and said to be the same rows."""
    rounded = False
    first: Comparison | None = None
    ours, theirs = Multiset(), Multiset()
    with a.stream() as one, b.stream() as other:
        for number, (left, right) in enumerate(zip_longest(_rows(one, delimiter), _rows(other, delimiter)), 1):
            if first is None:
                if left == right:
                    continue
                first = _row(left, right, number, tolerance)
                rounded = rounded or first is None
            if first is not None:
                for side, row in ((ours, left), (theirs, right)):
                    if row is not None:
                        side.add("\x1f".join(row).encode("utf-8", "surrogateescape"))
    if first is None:
        return equivalent("numbers differ within the tolerance" if rounded else "line ends or quotes differ")
    if (ours.count, ours.total) == (theirs.count, theirs.total):
        return different("the same rows are in another order", first.where, first.a, first.b)
    return first


def _row(left: list[str] | None, right: list[str] | None, number: int, tolerance: float) -> Comparison | None:
    if left is None or right is None:
        shown = (None if row is None else ", ".join(row[:20]) for row in (left, right))
        return different("it has another number of rows", f"row {number}", *shown)
    for column, (one, other) in enumerate(zip_longest(left, right), 1):
        if one != other and not (one is not None and other is not None and _near(one, other, tolerance)):
            return different("its cells differ", f"row {number}, column {column}", one, other)
    return None


def _near(a: str, b: str, tolerance: float) -> bool:
    """Whether two cells are numbers, one of them with a fraction, and near each other. Integers count as they are."""
    if max(len(a), len(b)) > _LONGEST_NUMBER or not (_NUMBER.fullmatch(a) and _NUMBER.fullmatch(b)):
        return False
    if _INTEGER.fullmatch(a) and _INTEGER.fullmatch(b):
        return False
    return close(float(a), float(b), tolerance)


def _rows(stream: IO[bytes], delimiter: str) -> Iterator[list[str]]:
    def text() -> Iterator[str]:
        for line in lines_of(stream):
            yield line.decode("utf-8", "surrogateescape")

    try:
        yield from csv.reader(text(), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise NotThatFormatError("it is no table") from error
