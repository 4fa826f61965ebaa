"""Sealing the body of a crypt4gh file: segments of 64 KiB, each nonce, ciphertext and tag.

Every byte is read once and written once; both digests (of what is sealed, and of the sealed body) are computed on the
way. Hashing, encrypting and writing are lanes of their own (``wfexs_like.seal.lanes``), and no more than a few MiB are
in memory. The opening half is ``wfexs_like.seal.opening``.

Source: GA4GH crypt4gh 1.0, 3.4.1 (chacha20_ietf_poly1305 data).
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Final

from staging.errors import WfexsError, from_os_error
from wfexs_like.seal.lanes import Lanes

SEGMENT: Final = 65536
NONCE: Final = 12
TAG: Final = 16
SEALED_SEGMENT: Final = NONCE + SEGMENT + TAG
BATCH: Final = 16
"""Segments that are worked on as one piece: 1 MiB."""
AHEAD: Final = 6
"""Pieces in memory at most."""
WRITTEN: Final = 1 << 18
"""Bytes that are written by one call: with 1 MiB the system takes twice the time to find room in its cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What was sealed: bytes and sha256 of the plaintext and of the sealed body (the file without its header).

    A digest is ``None`` where nobody wished for it.
    """

    size: int
    sha256: str | None
    body_size: int
    body_sha256: str | None


@dataclass(slots=True)
class _Piece:
    """A piece of the work; what it can hold grows with it, as most files are small."""

    plain: bytearray = field(default_factory=lambda: bytearray(SEGMENT))
    sealed: bytearray = field(default_factory=bytearray)
    filled: int = 0
    pending: list[Future[None]] = field(default_factory=list)
    tail: list[Future[None]] = field(default_factory=list)
    """What sealing it asked for in its turn: complete when ``pending`` is done."""


def sealed_size(size: int) -> int:
    """Bytes of the sealed body of ``size`` bytes."""
    return size + -(-size // SEGMENT) * (NONCE + TAG)


class SealingWriter:
    """A file to write plaintext to, which writes the sealed body to ``destination`` (a stream or a descriptor).

    The destination need not be seekable; it gets the body at where it stands, and stays open. ``close`` finishes the
    body, and ``sealed`` is there from then on. Either digest costs about a third of the work, and is left out without
    ``plain_digest`` or ``body_digest``. Left by an exception, a ``with`` stops without finishing. ``progress``
    hears the bytes that were taken in so far. Everything but ``destination`` belongs to one thread.

    Raises (from every method):
        WfexsError: the destination can't be written (``DiskError`` when it is full), or ``cancelled`` was set.
    """

    def __init__(
        self,
        destination: BinaryIO | int,
        session_key: bytes,
        *,
        name: str = "the sealed file",
        plain_digest: bool = True,
        body_digest: bool = True,
        progress: Callable[[int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        self._cipher = ChaCha20Poly1305(session_key)
        self._write = writer_to(destination)
        self._name = name
        self._progress = progress
        self._cancelled = cancelled
        self._plain = hashlib.sha256() if plain_digest else None
        self._body = hashlib.sha256() if body_digest else None
        self._size = 0
        self._body_size = 0
        self._lanes = Lanes("hash", "seal", "body", "write")
        self._ahead: deque[_Piece] = deque()
        self._piece = _Piece()
        self._closed = False
        self._sealed: Sealed | None = None

    @property
    def sealed(self) -> Sealed:
        """What was sealed. Only after ``close``."""
        if self._sealed is None:
            raise ValueError("the sealed body is not finished")
        return self._sealed

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take in ``data``."""
        if self._closed:
            raise ValueError("the sealed body is finished")
        view = memoryview(data).cast("B")
        taken = 0
        while taken < len(view):
            piece = self._room()
            count = min(len(piece.plain) - piece.filled, len(view) - taken)
            piece.plain[piece.filled : piece.filled + count] = view[taken : taken + count]
            self._add(count)
            taken += count
        return taken

    def take_from(self, source: BinaryIO | int, *, name: str = "the file to seal") -> None:
        """Take in all that ``source`` (an unbuffered stream or a descriptor) has from where it stands to its end."""
        read = (lambda room: os.readv(source, [room])) if isinstance(source, int) else source.readinto  # type: ignore[attr-defined]
        while True:
            piece = self._room()
            try:
                with memoryview(piece.plain) as whole, whole[piece.filled :] as room:
                    count = read(room)
            except OSError as error:
                raise from_os_error(error, f"read {name}") from error
            if not count:
                return
            self._add(count)

    def flush(self) -> None:
        """Nothing: only whole segments are written, but for the last."""

    def close(self) -> None:
        """Seal and write what is left, and wait until all is written. Again: nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._piece.filled:
                self._send()
            while self._ahead:
                self._wait(self._ahead.popleft())
        finally:
            self._lanes.close()
        self._sealed = Sealed(
            size=self._size,
            sha256=None if self._plain is None else self._plain.hexdigest(),
            body_size=self._body_size,
            body_sha256=None if self._body is None else self._body.hexdigest(),
        )

    def abort(self) -> None:
        """Stop without finishing."""
        self._closed = True
        self._lanes.close()

    def __enter__(self) -> SealingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _room(self) -> _Piece:
        """The piece to fill, with room in it: only when more comes it is known that the full one is not the last."""
        if self._piece.filled == len(self._piece.plain) < BATCH * SEGMENT:
            self._piece.plain += bytes(BATCH * SEGMENT - len(self._piece.plain))
        elif self._piece.filled == len(self._piece.plain):
            self._lanes.split()
            self._send()
            if len(self._ahead) < AHEAD:
                self._piece = _Piece()
            else:
                self._piece = self._ahead.popleft()
                self._wait(self._piece)
        return self._piece

    def _add(self, count: int) -> None:
        self._piece.filled += count
        self._size += count
        if self._progress is not None:
            self._progress(self._size)
        if self._cancelled is not None and self._cancelled.is_set():
            self.abort()
            raise WfexsError(f"sealing {self._name} was stopped", where=self._name)

    def _send(self) -> None:
        piece = self._piece
        try:
            if self._plain is not None:
                plain = memoryview(piece.plain)[: piece.filled]
                piece.pending.append(self._lanes.submit("hash", self._plain.update, plain))
            piece.pending.append(self._lanes.submit("seal", self._encrypt, piece))
        except OSError as error:  # while everything is done at once
            raise from_os_error(error, f"write {self._name}") from error
        self._ahead.append(piece)

    def _encrypt(self, piece: _Piece) -> None:
        size = sealed_size(piece.filled)
        if len(piece.sealed) < size:
            piece.sealed = bytearray(size)
        plain, sealed = memoryview(piece.plain), memoryview(piece.sealed)
        nonces = os.urandom(NONCE * BATCH)
        at = 0
        for number, start in enumerate(range(0, piece.filled, SEGMENT)):
            content = plain[start : min(start + SEGMENT, piece.filled)]
            nonce = nonces[number * NONCE : (number + 1) * NONCE]
            sealed[at : at + NONCE] = nonce
            end = at + NONCE + len(content) + TAG
            self._cipher.encrypt_into(nonce, content, None, sealed[at + NONCE : end])
            at = end
        done = sealed[:at]
        self._body_size += at
        if self._body is not None:
            piece.tail.append(self._lanes.submit("body", self._body.update, done))
        piece.tail.append(self._lanes.submit("write", self._write, done))

    def _wait(self, piece: _Piece) -> None:
        try:
            for one in piece.pending:
                one.result()
            for one in piece.tail:
                one.result()
        except OSError as error:
            self.abort()
            raise from_os_error(error, f"write {self._name}") from error
        except BaseException:
            self.abort()
            raise
        piece.pending, piece.tail, piece.filled = [], [], 0


def seal(
    source: int,
    destination: int,
    session_key: bytes,
    *,
    name: str = "the file to seal",
    body_digest: bool = True,
    progress: Callable[[int], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Sealed:
    """Write the sealed body of all that the descriptor ``source`` has to the descriptor ``destination``.

    Both from where they stand; the header is written by the caller before. Nothing is fsynced.

    Raises:
        WfexsError: one can't be read or the other not written (``DiskError`` when full), or ``cancelled`` was set.
    """
    with SealingWriter(
        destination, session_key, name=name, body_digest=body_digest, progress=progress, cancelled=cancelled
    ) as writer:
        writer.take_from(source, name=name)
    return writer.sealed


def writer_to(destination: BinaryIO | int) -> Callable[[memoryview], None]:
    """What writes all it is given to a descriptor or a stream."""

    def write(content: memoryview) -> None:
        while content:
            part = content[:WRITTEN]
            count = os.write(destination, part) if isinstance(destination, int) else destination.write(part)
            content = content[count:]

    return write
