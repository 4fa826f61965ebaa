"""Sources: bytes that can be read as often as needed, as streams and never whole; what is unpacked is counted."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Final, NamedTuple

from staging.fingerprints import CHUNK
from wfexs_like.comparing.verdicts import CannotCompareError, NotThatFormatError

LONGEST_LINE: Final = 16 << 20
_LEAST_UNPACKED: Final = 2 << 30
_TIMES_UNPACKED: Final = 400
_DAMAGED: Final[tuple[type[Exception], ...]] = (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error)


class Budget:
    """How much may be unpacked for one pair of files, both together and each time they are read (bytes)."""

    def __init__(self, size: int, *, least: int = _LEAST_UNPACKED) -> None:
        self._left = max(least, size * _TIMES_UNPACKED)

    def take(self, count: int) -> None:
        """Count what was unpacked.

        Raises:
            CannotCompareError: it is more than there may be.
        """
        self._left -= count
        if self._left < 0:
            raise CannotCompareError("it unpacks to far more than it is, and was not read to its end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The bytes of one file. ``name`` is what it is called, ``size`` in bytes where it is known."""

    name: str
    opener: Callable[[], IO[bytes]]
    size: int | None = None

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """A buffered stream of it, from the start."""
        raw = self.opener()
        stream = io.BufferedReader(raw, CHUNK) if isinstance(raw, io.RawIOBase) else raw
        try:
            yield stream
        finally:
            stream.close()

    def start(self, count: int) -> bytes:
        """Its first bytes."""
        with self.stream() as stream:
            return stream.read(count)

    def whole(self, most: int) -> bytes:
        """All of it.

        Raises:
            CannotCompareError: it is larger than ``most`` bytes.
        """
        with self.stream() as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            raise CannotCompareError(f"it is larger than the {most >> 20} MiB that are looked into")
        return content

    def unpacked(self, *, bzip2: bool, budget: Budget) -> Source:
        """What is in it, where it is one gzip or bzip2 file."""
        name = self.name
        for ending in (".gz", ".bgz", ".bz2"):
            name = name.removesuffix(ending)

        def opener() -> IO[bytes]:
            raw = self.opener()
            under = io.BufferedReader(raw, CHUNK) if isinstance(raw, io.RawIOBase) else raw
            inside: IO[bytes] = bz2.BZ2File(under) if bzip2 else gzip.GzipFile(fileobj=under, mode="rb")  # type: ignore[assignment]
            return io.BufferedReader(Counted(inside, under, budget), CHUNK)

        return replace(self, name=name, opener=opener, size=None)


class Counted(io.RawIOBase):
    """A stream of what is unpacked, counted; damage in it is told as such."""

    def __init__(self, inside: IO[bytes], under: IO[bytes] | None, budget: Budget) -> None:
        super().__init__()
        self._inside = inside
        self._under = under
        self._budget = budget

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """The next bytes.

        Raises:
            NotThatFormatError: what is packed is damaged.
            CannotCompareError: it is too much.
        """
        try:
            content = self._inside.read(len(buffer))
        except _DAMAGED as error:
            raise NotThatFormatError("it is damaged") from error
        except OSError as error:
            # What the bz2 module raises for damage has no error number.
            if error.errno is None:
                raise NotThatFormatError("it is damaged") from error
            raise
        self._budget.take(len(content))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Close all streams."""
        if not self.closed:
            self._inside.close()
            if self._under is not None:
                self._under.close()
        super().close()


class Mismatch(NamedTuple):
    """The offset of the first byte that differs, and whether the first of the two has the lower one there, or ends."""

    offset: int
    less: bool


def first_difference(a: Source, b: Source) -> Mismatch | None:
    """The first byte that differs; ``None`` where there is none."""
    offset = 0
    with a.stream() as one, b.stream() as other:
        while True:
            first, second = read_full(one, CHUNK), read_full(other, CHUNK)
            if first != second:
                most = min(len(first), len(second))
                within = next((at for at in range(most) if first[at] != second[at]), most)
                return Mismatch(offset + within, first < second)
            if not first:
                return None
            offset += len(first)


def read_full(stream: IO[bytes], count: int) -> bytes:
    """``count`` bytes, fewer only at the end."""
    content = stream.read(count)
    while 0 < len(content) < count:
        more = stream.read(count - len(content))
        if not more:
            break
        content += more
    return content


def read_exactly(stream: IO[bytes], count: int, *, most: int = LONGEST_LINE) -> bytes:
    """``count`` bytes.

    Raises:
        CannotCompareError: that is more than ``most``.
        NotThatFormatError: there are fewer.
    """
    if not 0 <= count <= most:
        raise CannotCompareError("a record of it is too large to be looked into")
    content = read_full(stream, count)
    if len(content) < count:
        raise NotThatFormatError("it ends too early")
    return content


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines, each with its end.

    Raises:
        CannotCompareError: one is too long.
    """
    while line := stream.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            raise CannotCompareError(f"a line of it is longer than {LONGEST_LINE >> 20} MiB")
        yield line
