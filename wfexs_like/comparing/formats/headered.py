"""VCF and SAM: a header of lines, then a record a line. Neither's order counts, nor do lines on how it was made.

Source: VCF 4.5, section 1.4; SAM 1.6, section 1.3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Final

from wfexs_like.comparing.records import Record, Records, compare_records
from wfexs_like.comparing.sources import Source, lines_of
from wfexs_like.comparing.verdicts import CannotCompareError, Comparison, different, equivalent

LARGEST_HEADER: Final = 64 << 20
_VCF_MADE: Final = re.compile(
    rb"##(filedate|source|[^=]*command(?:line)?(?:options)?|cmdline|[^=]*version|[^=]*_?cmd)=", re.IGNORECASE
)
_VCF_KEPT: Final = frozenset({b"fileformat", b"version"})
_VCF_REFERENCE: Final = re.compile(rb"##reference=(?:file:)?[^<>]*/([^/<>]+)$")
_SAM_MADE: Final = re.compile(rb"@(PG|HD)\t")


def compare_vcf(a: Source, b: Source) -> Comparison:
    """Two VCF texts."""
    return _compare(a, b, b"#", made_vcf)


def compare_sam(a: Source, b: Source) -> Comparison:
    """Two SAM texts."""
    return _compare(a, b, b"@", made_sam)


def made_vcf(line: bytes) -> str | None:
    """The key of a header line that tells how the file was made; ``None`` for those that say what it means."""
    found = _VCF_MADE.match(line)
    if found is None or found[1].lower() in _VCF_KEPT:
        return None
    return found[1].decode("utf-8", "backslashreplace")


def made_sam(line: bytes) -> str | None:
    """The same, of a SAM header."""
    found = _SAM_MADE.match(line)
    return None if found is None else f"@{found[1].decode()}"


def compare_headers(
    a: Sequence[bytes], b: Sequence[bytes], made: Callable[[bytes], str | None], *, ordered: bool
) -> tuple[Comparison | None, str]:
    """What is different in two headers, or ``None`` and why they are equivalent all the same."""
    left, right = ([_plain(line) for line in side if made(line) is None] for side in (a, b))
    ours, theirs = Counter(left), Counter(right)
    if ours != theirs:
        lacking = [next((line for line in side if line in missing), None) for side, missing in
                   ((left, ours - theirs), (right, theirs - ours))]  # fmt: skip
        return different("its header differs", "header", *lacking), ""
    reasons = []
    if left != right:
        if ordered:
            first = next(pair for pair in zip(left, right, strict=True) if pair[0] != pair[1])
            return different("the header's lines are in another order", "header", *first), ""
        reasons.append("the header's lines are in another order")
    keys = [Counter((key, line) for line in side if (key := made(line)) is not None) for side in (a, b)]
    names = sorted({key for key, _ in (keys[0] - keys[1]) + (keys[1] - keys[0])})
    if names:
        reasons.append(f"the header's {_listed(names)} differ{'s' if len(names) == 1 else ''}")
    if not reasons and list(a) != list(b):
        reasons.append("the header is written differently")
    return None, "; ".join(reasons)


def told(difference: object | None, name: str) -> str:
    """The reason why records in another order are equivalent."""
    return "" if difference is None else f"the same {name} are in another order"


def _compare(a: Source, b: Source, sign: bytes, made: Callable[[bytes], str | None]) -> Comparison:
    headers = [_header(side, sign) for side in (a, b)]
    found, reason = compare_headers(headers[0], headers[1], made, ordered=False)
    if found is not None:
        return found
    records: list[Records] = [partial(_records, side, sign) for side in (a, b)]
    difference = compare_records(*records)
    if difference is not None and not difference.reordered:
        return different("its records differ", f"record {difference.number}", difference.a, difference.b)
    return equivalent(reason, told(difference, "records")) if reason or difference else equivalent("line ends differ")


def _header(source: Source, sign: bytes) -> list[bytes]:
    found: list[bytes] = []
    size = 0
    with source.stream() as stream:
        for line in lines_of(stream):
            if not line.startswith(sign):
                break
            size += len(line) + 100
            if size > LARGEST_HEADER:
                raise CannotCompareError(
                    f"its header is larger than the {LARGEST_HEADER >> 20} MiB that are looked into"
                )
            found.append(line.rstrip(b"\r\n"))
    return found


@contextmanager
def _records(source: Source, sign: bytes) -> Iterator[Iterator[Record]]:
    with source.stream() as stream:
        lines = lines_of(stream)
        first = next((line for line in lines if not line.startswith(sign)), None)
        rest = chain(() if first is None else (first,), lines)
        yield ((bare, bare) for bare in (line.rstrip(b"\r\n") for line in rest))


def _plain(line: bytes) -> bytes:
    found = _VCF_REFERENCE.match(line)
    return line if found is None else b"##reference=" + found[1]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
