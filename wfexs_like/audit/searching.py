"""Searching: many needles in one stream, in one pass and flat memory, and in what is compressed in it.

Gzip members (RFC 1952), the members of zip files that are deflated (APPNOTE 4.3.7), and a file that is one zlib stream
(RFC 1950; so does git keep its objects) are looked into where they are found, in each other too, within ``LIMITS``.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

from wfexs_like.audit.canaries import Needle

PIECE: Final = 1 << 20
"""Bytes that are looked at in one go."""

Read = Callable[[int, int], bytes]
"""``read(size, offset)`` gives the bytes there: fewer at the end, none behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is looked into at most: compressed streams in a file, bytes inflated of each, how deep in each other."""

    streams: int = 4096
    inflated: int = 1 << 30
    depth: int = 2


LIMITS: Final = Limits()

_GZIP: Final = b"\x1f\x8b\x08"
_ZIP: Final = b"PK\x03\x04"
_ZIP_LENGTHS: Final = struct.Struct("<HH")
_ZIP_HEADER: Final = 30
_DEFLATED: Final = b"\x08\x00"
_ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_WINDOWS: Final = {"gzip": 31, "zip": -15, "zlib": 15}
"""What zlib wants to know of each form."""

_AT_ONCE: Final = 1 << 16
_FEW: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A needle that was found. ``offset`` is that in the file; ``within`` names what had to be inflated to find it."""

    needle: Needle
    offset: int
    within: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """How it is written there, outermost first: ``gzip+clear``."""
        return "+".join((*self.within, self.needle.form))


class Search:
    """A search for all of ``needles`` at once."""

    def __init__(self, needles: Sequence[Needle], limits: Limits = LIMITS) -> None:
        self._needles = {one.data: one for one in needles}
        self._limits = limits
        self._longest = max(map(len, self._needles), default=1)
        # The alternatives are tried in the order given: of two that begin alike, the longer comes first.
        ordered = sorted(self._needles, key=len, reverse=True)
        self._any = re.compile(b"|".join(map(re.escape, ordered)) or b"(?!)", re.DOTALL)
        self._each = tuple(ordered)

    def in_bytes(self, data: bytes) -> Iterator[Hit]:
        """All hits in a text that is at hand, such as a name."""
        for found in self._any.finditer(data):
            yield Hit(needle=self._needles[found[0]], offset=found.start())

    def in_file(self, read: Read) -> Iterator[Hit]:
        """The hits in a file, one for each needle in each stream: the first."""
        left = [self._limits.streams]
        yield from self._search(read, 0, (), left)

    def _search(self, read: Read, base: int, within: tuple[str, ...], left: list[int]) -> Iterator[Hit]:
        """Search what ``read`` gives; hits in something inflated are told of at ``base``, where that begins."""
        seen: set[bytes] = set()
        overlap = max(self._longest, len(_ZIP)) - 1
        offset, tail = 0, b""
        while piece := read(PIECE, offset):
            data = tail + piece
            start = offset - len(tail)
            for needle, place in self._first(data, seen):
                seen.add(needle)
                yield Hit(needle=self._needles[needle], offset=base if within else start + place, within=within)
            begins = _begins(data, start, len(tail)) if len(within) < self._limits.depth else ()
            for form, at in begins:
                inflated = self._inflated(read, form, at, left)
                if inflated is not None:
                    yield from self._search(inflated, base if within else at, (*within, form), left)
            tail = data[-overlap:]
            offset += len(piece)

    def _first(self, data: bytes, seen: set[bytes]) -> Iterator[tuple[bytes, int]]:
        # ``find`` skips ahead by a needle's length, and so beats one pass of the expression even for many needles.
        for needle in self._each:
            if needle not in seen and (place := data.find(needle)) >= 0:
                yield needle, place

    def _inflated(self, read: Read, form: str, at: int, left: list[int]) -> _Inflated | None:
        if form == "zip":
            head = read(_ZIP_HEADER, at)
            if len(head) < _ZIP_HEADER or head[8:10] != _DEFLATED:
                return None
            at += _ZIP_HEADER + sum(_ZIP_LENGTHS.unpack(head[26:30]))
        if left[0] <= 0:
            return None
        left[0] -= 1
        if isinstance(read, _Inflated):
            # Whoever reads the outer stream has not come as far as this one will.
            read = read.fork(at)
        return _Inflated(read, at, _WINDOWS[form], self._limits.inflated)


class _Inflated:
    """What a compressed stream gives, as far as it is sound; read from its start to its end."""

    def __init__(self, read: Read, at: int, bits: int, most: int) -> None:
        self._read = read
        self._at = at
        self._machine = zlib.decompressobj(bits)
        self._kept = bytearray()
        self._begin = 0
        self._left = most
        self._over = False

    def __call__(self, size: int, offset: int) -> bytes:
        """See ``Read``. What lies more than a few pieces back is no longer there."""
        while self._begin + len(self._kept) < offset + size and self._more():
            pass
        here = offset - self._begin
        found = bytes(self._kept[here : here + size]) if here >= 0 else b""
        if len(self._kept) > _FEW * PIECE:
            surplus = max(0, min(here, len(self._kept)) - PIECE)
            del self._kept[:surplus]
            self._begin += surplus
        return found

    def fork(self, at: int) -> _Inflated:
        """The same stream, read by itself from ``at`` on, which must still be there."""
        other = copy(self)
        other.part(at)
        return other

    def part(self, at: int) -> None:
        """Share nothing any more with what this is a copy of, and keep what lies at ``at`` and behind it."""
        passed = min(max(0, at - self._begin), len(self._kept))
        self._machine = self._machine.copy()
        self._kept = self._kept[passed:]
        self._begin += passed
        if isinstance(self._read, _Inflated):
            self._read = self._read.fork(self._at)

    def _more(self) -> bool:
        if self._over or self._left <= 0:
            return False
        rest = self._machine.unconsumed_tail
        if not rest:
            rest = self._read(_AT_ONCE, self._at)
            self._at += len(rest)
        try:
            given = self._machine.decompress(rest, min(PIECE, self._left))
        except zlib.error:
            given, self._over = b"", True
        self._kept += given
        self._left -= len(given)
        self._over = self._over or self._machine.eof or (not rest and not given)
        return not self._over


def _begins(data: bytes, start: int, old: int) -> Iterator[tuple[str, int]]:
    """The compressed streams that begin in ``data`` (which is at ``start``) and not in its ``old`` first bytes."""
    for form, mark in (("gzip", _GZIP), ("zip", _ZIP)):
        yield from ((form, start + place) for place in _all(data, mark) if place + len(mark) > old)
    if start == 0 and old == 0 and data[:2] in _ZLIB:
        yield "zlib", 0


def _all(data: bytes, mark: bytes) -> Iterator[int]:
    place = data.find(mark)
    while place >= 0:
        yield place
        place = data.find(mark, place + 1)
