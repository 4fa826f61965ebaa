"""Opening the body of a crypt4gh file: the other half of ``wfexs_like.seal.segments``.

A damaged segment is found and named. A body that was cut, or put together anew, at the border of segments is *not*: the
standard does not protect against that. Whoever knows the size or the digest of the plaintext must compare.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO

from staging.errors import DigestError, WfexsError, from_os_error
from wfexs_like.seal.lanes import Lanes
from wfexs_like.seal.segments import AHEAD, BATCH, NONCE, SEALED_SEGMENT, SEGMENT, TAG, writer_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Bytes of the plaintext, and its sha256 unless nobody wished for it."""

    size: int
    sha256: str | None


@dataclass(slots=True)
class _Piece:
    segments: int
    """Room for so many."""
    sealed: bytearray = field(init=False)
    plain: bytearray = field(init=False)
    ready: Future[int] | None = None
    """How many plaintext bytes there are."""
    hashed: Future[None] | None = None

    def __post_init__(self) -> None:
        self.sealed = bytearray(self.segments * SEALED_SEGMENT)
        self.plain = bytearray(self.segments * SEGMENT)


class UnsealingReader:
    """A file to read plaintext from, out of the sealed body that ``source`` (a stream or a descriptor) has.

    A stream or a pipe is read from where it stands, which must be where the body begins; with ``offset`` a descriptor
    is read from there, and its position neither used nor changed. ``size`` is how many bytes of plaintext there must
    be, where that is known. The digest costs about half of the work, and is left out without ``digest``.
    ``opened`` is there when all was read. ``progress`` hears the plaintext bytes so far.

    Raises (from every method that reads):
        DigestError: a segment is damaged (it is named), or the size is another one.
        WfexsError: the source can't be read, or ``cancelled`` was set.
    """

    def __init__(
        self,
        source: BinaryIO | int,
        session_key: bytes,
        *,
        offset: int | None = None,
        name: str = "the sealed file",
        size: int | None = None,
        digest: bool = True,
        progress: Callable[[int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        self._cipher = ChaCha20Poly1305(session_key)
        self._read_into = _filler(source, offset)
        self._name = name
        self._expected = size
        self._progress = progress
        self._cancelled = cancelled
        self._plain = hashlib.sha256() if digest else None
        self._size = 0
        self._segments = 0
        self._lanes = Lanes("read", "open", "hash")
        self._ended = False
        self._views = self._pieces()
        self._left = memoryview(b"")
        self._opened: Opened | None = None

    @property
    def opened(self) -> Opened:
        """What was opened. Only when all was read."""
        if self._opened is None:
            raise ValueError("the sealed body was not read to its end")
        return self._opened

    def pieces(self) -> Iterator[memoryview]:
        """The plaintext piece by piece, without copies: each is overwritten after the next was asked for."""
        yield from self._views

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill ``buffer`` as far as there is plaintext; 0 at the end."""
        target = memoryview(buffer).cast("B")
        done = 0
        while done < len(target):
            if not self._left:
                self._left = next(self._views, memoryview(b""))
                if not self._left:
                    break
            count = min(len(self._left), len(target) - done)
            target[done : done + count] = self._left[:count]
            self._left = self._left[count:]
            done += count
        return done

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, fewer only at the end; all that is left when it is negative."""
        if size >= 0:
            buffer = bytearray(size)
            return bytes(buffer[: self.readinto(buffer)])
        rest = bytes(self._left)
        self._left = memoryview(b"")
        return rest + b"".join(bytes(one) for one in self._views)

    def close(self) -> None:
        """End the threads."""
        self._views.close()
        self._lanes.close()

    def __enter__(self) -> UnsealingReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pieces(self) -> Generator[memoryview, None, None]:
        try:
            yield from self._all_pieces()
        finally:
            self._lanes.close()
        if self._expected is not None and self._size != self._expected:
            raise DigestError(
                f"{self._name} holds {self._size} bytes, and should hold {self._expected}",
                where=self._name,
                expected=self._expected,
                actual=self._size,
            )
        self._opened = Opened(size=self._size, sha256=None if self._plain is None else self._plain.hexdigest())

    def _all_pieces(self) -> Iterator[memoryview]:
        ahead: deque[_Piece] = deque()
        # Most files are small, and need no threads and no more room.
        self._ask(first := _Piece(segments=1))
        ahead.append(first)
        while ahead:
            # One more each time: room for all would take longer to make than to open a file of a few MiB.
            if not self._ended and not self._lanes.inline and len(ahead) < AHEAD - 1:
                self._ask(fresh := _Piece(segments=BATCH))
                ahead.append(fresh)
            piece = ahead.popleft()
            count = self._wait(piece)
            if self._cancelled is not None and self._cancelled.is_set():
                raise WfexsError(f"opening {self._name} was stopped", where=self._name)
            if not count:
                return
            self._size += count
            if self._expected is not None and self._size > self._expected:
                raise DigestError(
                    f"{self._name} holds more than the {self._expected} bytes that it should hold", where=self._name
                )
            yield memoryview(piece.plain)[:count]
            if self._progress is not None:
                self._progress(self._size)
            if piece.hashed is not None:
                piece.hashed.result()
            if not self._ended:
                if piece.segments < BATCH:
                    piece = _Piece(segments=BATCH)
                else:
                    self._lanes.split()
                self._ask(piece)
                ahead.append(piece)

    def _ask(self, piece: _Piece) -> None:
        try:
            filled = self._lanes.submit("read", self._fill, piece)
            piece.ready = self._lanes.submit("open", self._decrypt, piece, filled)
        except OSError as error:  # while everything is done at once
            raise from_os_error(error, f"read {self._name}") from error

    def _wait(self, piece: _Piece) -> int:
        assert piece.ready is not None
        try:
            return piece.ready.result()
        except OSError as error:
            raise from_os_error(error, f"read {self._name}") from error

    def _fill(self, piece: _Piece) -> int:
        target = memoryview(piece.sealed)
        filled = 0
        while filled < len(target) and not self._ended:
            count = self._read_into(target[filled:])
            self._ended = not count
            filled += count
        return filled

    def _decrypt(self, piece: _Piece, filled: Future[int]) -> int:
        from cryptography.exceptions import InvalidTag

        sealed, plain = memoryview(piece.sealed)[: filled.result()], memoryview(piece.plain)
        done = 0
        for start in range(0, len(sealed), SEALED_SEGMENT):
            self._segments += 1
            segment = sealed[start : start + SEALED_SEGMENT]
            count = len(segment) - NONCE - TAG
            if count <= 0:
                raise self._damaged("is cut off")
            try:
                self._cipher.decrypt_into(segment[:NONCE], segment[NONCE:], None, plain[done : done + count])
            except InvalidTag as error:
                short = "is damaged, or cut off," if count < SEGMENT else "is damaged"
                raise self._damaged(short) from error
            done += count
        if self._plain is not None:
            piece.hashed = self._lanes.submit("hash", self._plain.update, plain[:done])
        return done

    def _damaged(self, how: str) -> DigestError:
        return DigestError(
            f"{self._name} {how} in segment {self._segments}, which begins at byte"
            f" {(self._segments - 1) * SEGMENT} of what it holds",
            hint="get it again: nothing of a damaged file is used",
            where=self._name,
            segment=self._segments,
        )


def unseal(
    source: int,
    offset: int,
    destination: int,
    session_key: bytes,
    *,
    name: str = "the sealed file",
    size: int | None = None,
    progress: Callable[[int], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Opened:
    """Write the plaintext of the body that begins at ``offset`` of the descriptor ``source`` to ``destination``.

    The destination is written from where it stands, and need not be seekable. What was written before an error must be
    thrown away by the caller. Nothing is fsynced.

    Raises:
        DigestError: a segment is damaged (it is named), or ``size`` was given and is another one.
        WfexsError: one can't be read or the other not written (``DiskError`` when full), or ``cancelled`` was set.
    """
    with UnsealingReader(
        source, session_key, offset=offset, name=name, size=size, progress=progress, cancelled=cancelled
    ) as reader:
        write = writer_to(destination)
        for piece in reader.pieces():
            try:
                write(piece)
            except OSError as error:
                raise from_os_error(error, f"write what {name} holds") from error
        return reader.opened


def _filler(source: BinaryIO | int, offset: int | None) -> Callable[[memoryview], int]:
    """What reads the next bytes into a view, and says how many; 0 at the end."""
    if not isinstance(source, int):
        return _from_stream(source)
    if offset is None:
        return lambda target: os.readv(source, [target])
    position = offset

    def read_at(target: memoryview) -> int:
        nonlocal position
        count = os.preadv(source, [target], position)
        position += count
        return count

    return read_at


def _from_stream(stream: BinaryIO) -> Callable[[memoryview], int]:
    def read(target: memoryview) -> int:
        content = stream.read(len(target))
        target[: len(content)] = content
        return len(content)

    return read
