"""Searching: many needles in one stream, in one pass and flat memory, and in what is compressed in it.

Gzip members (RFC 1952), the members of zip files that are deflated (APPNOTE 4.3.7), and a file that is one zlib stream
(RFC 1950; so does git keep its objects) are looked into where they are found, in each other too, within ``LIMITS``.
Members of gzip that follow each other are one stream, as they are for gzip itself: BAM and other files of bgzip (SAM
specification, section 4.1) have one for every 64 KiB.
"""

from __future__ import annotations

import contextlib
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

    @property
    def too_many(self) -> str:
        """What is said of a file that has more than ``streams``; so the others."""
        return f"not wholly: of a file no more than {self.streams} compressed streams are looked into"

    @property
    def too_long(self) -> str:
        """See ``too_many``."""
        return f"not wholly: of what is compressed in one piece only {self.inflated >> 20} MiB are looked into"

    @property
    def too_deep(self) -> str:
        """See ``too_many``."""
        return f"not wholly: what is compressed is looked into when it is so {self.depth} times at most"


LIMITS: Final = Limits()

_IN_LINES: Final = ("base64", "hex")
"""The forms that programs break into lines wherever they are full (RFC 2045, section 6.8)."""
_LINE: Final = 16
_BROKEN: Final = re.compile(
    rb"\n(?:(?<=[A-Za-z0-9+/_-]{%d}\n)|(?<=[A-Za-z0-9+/_-]{%d}\r\n))[A-Za-z0-9+/_-]" % (_LINE, _LINE)
)
_LINE_ENDS: Final = re.compile(rb"[\r\n]")

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
_PROOF: Final = 1 << 12


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


@dataclass(slots=True, kw_only=True)
class _Bounds:
    """What one file may still cost, and what was met in it that was not looked into, in words."""

    limits: Limits
    streams: int
    reached: set[str]


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
        self._broken = tuple(one for one in ordered if self._needles[one].form in _IN_LINES)

    def in_bytes(self, data: bytes) -> Iterator[Hit]:
        """All hits in a text that is at hand, such as a name."""
        for found in self._any.finditer(data):
            yield Hit(needle=self._needles[found[0]], offset=found.start())

    def in_file(self, read: Read, reached: set[str] | None = None) -> Iterator[Hit]:
        """The hits in a file, one for each needle in each stream: the first.

        ``reached`` is told which limits kept us from looking at all of it.
        """
        reached = set() if reached is None else reached
        bounds = _Bounds(limits=self._limits, streams=self._limits.streams, reached=reached)
        yield from self._search(read, 0, (), bounds)

    def _search(self, read: Read, base: int, within: tuple[str, ...], bounds: _Bounds) -> Iterator[Hit]:
        """Search what ``read`` gives; hits in something inflated are told of at ``base``, where that begins."""
        seen: set[bytes] = set()
        overlap = max(self._longest + 2 * (self._longest // _LINE + 1) + _LINE, len(_ZIP)) - 1
        offset, tail, last = 0, b"", -1
        while piece := read(PIECE, offset):
            data = tail + piece
            start = offset - len(tail)
            for needle, place in self._first(data, seen):
                seen.add(needle)
                yield Hit(needle=self._needles[needle], offset=base if within else start + place, within=within)
            for form, at in _begins(data, start, len(tail)):
                if form == "gzip" and at <= last:
                    continue
                inflated = _inflated(read, form, at, bounds, deep=len(within))
                if inflated is not None:
                    yield from self._search(inflated, base if within else at, (*within, form), bounds)
                    if form == "gzip":
                        last = max(last, inflated.last)
            tail = data[-overlap:]
            offset += len(piece)

    def _first(self, data: bytes, seen: set[bytes]) -> Iterator[tuple[bytes, int]]:
        # ``find`` skips ahead by a needle's length, and so beats one pass of the expression even for many needles.
        for needle in self._each:
            if needle not in seen and (place := data.find(needle)) >= 0:
                yield needle, place
        if _BROKEN.search(data):
            whole = data.translate(None, b"\r\n")
            for needle in self._broken:
                if needle not in seen and (place := whole.find(needle)) >= 0:
                    yield needle, _before(data, place)


def _before(data: bytes, place: int) -> int:
    """The place in ``data`` of what is at ``place`` without the ends of its lines."""
    passed = 0
    for end in _LINE_ENDS.finditer(data):
        if end.start() - passed > place:
            break
        passed += 1
    return place + passed


def _inflated(read: Read, form: str, at: int, bounds: _Bounds, *, deep: int) -> _Inflated | None:
    """What the stream that seems to begin at ``at`` holds, unless that is beyond the limits."""
    begin, too_deep = at, deep >= bounds.limits.depth
    if too_deep and bounds.limits.too_deep in bounds.reached:
        return None
    if form == "zip":
        head = read(_ZIP_HEADER, at)
        if len(head) < _ZIP_HEADER or head[8:10] != _DEFLATED:
            return None
        at += _ZIP_HEADER + sum(_ZIP_LENGTHS.unpack(head[26:30]))
    if bounds.streams <= 0:
        bounds.reached.add(bounds.limits.too_many)
        return None
    if isinstance(read, _Inflated):
        # Whoever reads the outer stream has not come as far as this one will.
        read = read.fork(begin)
    found = _Inflated(read, at, form, bounds)
    if too_deep:
        if found.is_sound():
            bounds.reached.add(bounds.limits.too_deep)
        return None
    bounds.streams -= 1
    return found


class _Inflated:
    """What a compressed stream gives, as far as it is sound; read from its start to its end.

    ``last`` is where the last member of it begins that was looked into.
    """

    def __init__(self, read: Read, at: int, form: str, bounds: _Bounds) -> None:
        self._read = read
        self._at = at
        self._form = form
        self._bounds = bounds
        self._machine = zlib.decompressobj(_WINDOWS[form])
        self._rest = b""
        self._kept = bytearray()
        self._begin = 0
        self._left = bounds.limits.inflated
        self._over = False
        self.last = at

    def is_sound(self) -> bool:
        """Whether this is a stream indeed, which a few bytes that look like its start are not."""
        return bool(self(1, 0)) and (self._machine.eof or len(self(_PROOF, 0)) == _PROOF)

    def __call__(self, size: int, offset: int) -> bytes:
        """See ``Read``. What lies more than a few pieces back is no longer there: IndexError."""
        while self._begin + len(self._kept) < offset + size and self._more():
            pass
        here = offset - self._begin
        if here < 0:
            raise IndexError(offset)
        found = bytes(self._kept[here : here + size])
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
        if self._over:
            return False
        if self._left <= 0:
            self._bounds.reached.add(self._bounds.limits.too_long)
            self._over = True
            return False
        rest = self._rest or self._fetch()
        before = self._machine.copy()
        try:
            given = self._machine.decompress(rest, min(PIECE, self._left))
        except zlib.error:
            self._kept += _as_far_as_sound(before, rest)
            self._over = True
            return False
        self._rest = self._machine.unconsumed_tail
        self._kept += given
        self._left -= len(given)
        if self._machine.eof:
            self._over = not self._goes_on()
        elif not rest and not given:
            self._over = True
        return not self._over

    def _goes_on(self) -> bool:
        """Whether another member of gzip follows at once; go to it."""
        rest = self._machine.unused_data
        while len(rest) < len(_GZIP) and (more := self._fetch()):
            rest += more
        if self._form != "gzip" or not rest.startswith(_GZIP):
            return False
        self.last = self._at - len(rest)
        self._machine = zlib.decompressobj(_WINDOWS[self._form])
        self._rest = rest
        self._left = self._bounds.limits.inflated
        return True

    def _fetch(self) -> bytes:
        data = self._read(_AT_ONCE, self._at)
        self._at += len(data)
        return data


def _as_far_as_sound(machine: zlib._Decompress, data: bytes) -> bytes:
    """What a stream gives before the byte that is wrong: zlib keeps that to itself. At most ``PIECE``."""
    found = bytearray()
    with contextlib.suppress(zlib.error):
        for place in range(len(data)):
            found += machine.decompress(data[place : place + 1], PIECE - len(found))
            if len(found) >= PIECE:
                break
    return bytes(found)


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
