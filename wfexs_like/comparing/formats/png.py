"""PNG: pixels count, and what tells how to show them; times and texts don't, nor how the pixels are packed.

Source: PNG (third edition), 5 (chunks), 9 (filters). Interlaced images are compared as they are unpacked.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from wfexs_like.comparing.sources import Budget, Source, read_exactly, read_full
from wfexs_like.comparing.verdicts import CannotCompareError, Comparison, NotThatFormatError, different, equivalent

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
LARGEST: Final = 64 << 20  # bytes of pixels
MOST_FILTERED: Final = 8 << 20
_MADE: Final = frozenset({b"tIME", b"tEXt", b"zTXt", b"iTXt"})
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(slots=True)
class _Image:
    head: bytes = b""
    chunks: list[tuple[bytes, bytes]] = field(default_factory=list)
    made: list[tuple[bytes, bytes]] = field(default_factory=list)
    packed: bytearray = field(default_factory=bytearray)


def compare_png(a: Source, b: Source, budget: Budget) -> Comparison:
    """Two PNG images."""
    ours, theirs = _read(a), _read(b)
    if ours.head != theirs.head:
        return different("size or kind of the image differ", "chunk IHDR", _size(ours), _size(theirs))
    if ours.chunks != theirs.chunks:
        names = [{kind.decode("ascii", "backslashreplace") for kind, _ in set(one) - set(other)}
                 for one, other in ((ours.chunks, theirs.chunks), (theirs.chunks, ours.chunks))]  # fmt: skip
        name = min(names[0] | names[1], default="order")
        return different("what tells how to show it differs", f"chunk {name}")
    made = sorted({kind.decode() for kind, _ in set(ours.made) ^ set(theirs.made)})
    reasons = [f"{', '.join(made)} differ; the pixels are the same"] if made else []
    if ours.packed == theirs.packed:
        return equivalent(*reasons, "" if reasons else "how it is divided differs; the pixels are the same")
    pixels = [_unpack(one.packed, budget) for one in (ours, theirs)]
    if pixels[0] != pixels[1]:
        filtered = [_pixels(ours.head, one) for one in pixels]
        if filtered[0] != filtered[1]:
            at = next((at for at, pair in enumerate(zip(*filtered, strict=False)) if pair[0] != pair[1]), 0)
            return different("its pixels differ", f"line {at + 1} of the image")
    return equivalent(*reasons, "it is packed differently; the pixels are the same")


def _read(source: Source) -> _Image:
    image = _Image()
    with source.stream() as stream:
        if read_full(stream, 8) != SIGNATURE:
            raise NotThatFormatError("it is no PNG image")
        for kind, content in _chunks(stream):
            if kind == b"IHDR":
                image.head = content
            elif kind == b"IDAT":
                image.packed += content
                if len(image.packed) > LARGEST:
                    raise CannotCompareError("the image is too large to be looked into")
            else:
                (image.made if kind in _MADE else image.chunks).append((kind, content))
        if stream.read(1):
            raise NotThatFormatError("something follows its end")
    if len(image.head) != 13:  # noqa: PLR2004 - its length by the standard
        raise NotThatFormatError("it has no header")
    return image


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", read_exactly(stream, 8))
        content = read_exactly(stream, length, most=LARGEST)
        if zlib.crc32(kind + content) != struct.unpack(">I", read_exactly(stream, 4))[0]:
            raise NotThatFormatError("it is damaged")
        yield kind, content


def _size(image: _Image) -> str:
    width, height = struct.unpack_from(">II", image.head)
    return f"{width} x {height}"


def _unpack(packed: bytearray, budget: Budget) -> bytes:
    engine = zlib.decompressobj()
    try:
        content = engine.decompress(packed, LARGEST)
    except zlib.error as error:
        raise NotThatFormatError("it is damaged") from error
    budget.take(len(content))
    if not engine.eof:
        if len(content) >= LARGEST:
            raise CannotCompareError("the image is too large to be looked into")
        raise NotThatFormatError("it is damaged")
    if engine.unused_data:
        raise NotThatFormatError("something follows its pixels")
    return content


def _pixels(head: bytes, content: bytes) -> list[bytes]:
    """The lines of the image, without the filters that made them easy to pack."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    bits = depth * _CHANNELS.get(colour, 0)
    length = (width * bits + 7) // 8
    if not bits or interlaced or len(content) > MOST_FILTERED:
        raise CannotCompareError("it is packed differently, and its pixels are not looked into")
    if len(content) != (length + 1) * height:
        raise NotThatFormatError("it has another number of pixels than it says")
    step = max(1, bits // 8)
    lines: list[bytes] = []
    before = bytes(length)
    for start in range(0, len(content), length + 1):
        before = _line(content[start], bytearray(content[start + 1 : start + 1 + length]), before, step)
        lines.append(before)
    return lines


def _line(kind: int, line: bytearray, up: bytes, step: int) -> bytes:
    if kind not in range(5):
        raise NotThatFormatError("it has a filter that is not known")
    for at in range(len(line) if kind else 0):
        left = line[at - step] if at >= step else 0
        if kind == 1:
            add = left
        elif kind == 2:  # noqa: PLR2004 - the filters' numbers by the standard
            add = up[at]
        elif kind == 3:  # noqa: PLR2004 - as above
            add = (left + up[at]) // 2
        else:
            add = _paeth(left, up[at], up[at - step] if at >= step else 0)
        line[at] = (line[at] + add) & 0xFF
    return bytes(line)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))
