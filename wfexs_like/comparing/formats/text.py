"""Text and HTML: line ends don't count; in HTML and SVG neither do the times at which it was made."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

from wfexs_like.comparing.records import Multiset
from wfexs_like.comparing.sources import Source, lines_of
from wfexs_like.comparing.verdicts import Comparison, different, equivalent

_DAY: Final = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_MONTH: Final = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_CLOCK: Final = rb"\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?"
_ZONE: Final = rb"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_TIMES: Final = re.compile(
    rb"(?<!\d)\d{4}-\d\d-\d\d(?:T|,? )" + _CLOCK + _ZONE
    + rb"|" + _DAY + rb",? \d\d?[ -]" + _MONTH + rb"[ -]\d{4}(?:,? " + _CLOCK + _ZONE + rb")?"
    + rb"|" + _DAY + rb",? " + _MONTH + rb" +\d\d?,? " + _CLOCK + _ZONE + rb" \d{4}"
)  # fmt: skip


def compare_text(a: Source, b: Source) -> Comparison:
    """Two texts, line by line. The same lines in another order are different, and said to be the same lines."""
    return _compare(a, b, times=False)


def compare_pages(a: Source, b: Source) -> Comparison:
    """Two HTML or SVG documents, line by line."""
    return _compare(a, b, times=True)


def _compare(a: Source, b: Source, *, times: bool) -> Comparison:
    ends = masked = False
    first: Comparison | None = None
    ours, theirs = Multiset(), Multiset()
    with a.stream() as one, b.stream() as other:
        for number, (left, right) in enumerate(zip_longest(lines_of(one), lines_of(other)), 1):
            if left == right and first is None:
                continue
            if left is not None and right is not None and _bare(left) == _bare(right):
                ends = ends or left != right
            elif times and left is not None and right is not None and _timeless(left) == _timeless(right):
                masked = True
            elif first is None:
                first = different("its lines differ", f"line {number}", left, right)
            if first is not None:
                for side, line in ((ours, left), (theirs, right)):
                    if line is not None:
                        side.add(_bare(line))
    if first is None:
        return equivalent("line ends differ" if ends else "", "times differ" if masked else "")
    if (ours.count, ours.total) == (theirs.count, theirs.total):
        return different("the same lines are in another order", first.where, first.a, first.b)
    return first


def _bare(line: bytes) -> bytes:
    """A line without its end; in a line with NULs it isn't one."""
    if b"\0" in line:
        return line
    return line.removesuffix(b"\n").removesuffix(b"\r") if line.endswith(b"\n") else line


def _timeless(line: bytes) -> bytes:
    return _TIMES.sub(b"<time>", _bare(line))
