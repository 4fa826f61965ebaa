"""Streams: bytes are hashed while they are written, each read once, in flat memory.

Making the result durable (``fsync``) is the business of whoever gives it its final name. What is written here in bulk
is on its way to the disk already, so that this later ``fsync`` is short.
"""

from __future__ import annotations

import errno
import hashlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, TypeAlias

from staging.errors import FetchError, WfexsError, from_os_error
from staging.fingerprints import Fingerprint

CHUNK: Final = 1 << 18
"""256 KiB: small enough for a processor's cache, so that hashing and writing find in it what was just read."""

_BUFFERS = 16
_THREADED = 8 << 20
_WRITEBACK = 16 << 20
_FICLONE = 0x40049409
_SYNC_FILE_RANGE_WRITE = 2
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was written: the fingerprint of these very bytes, their number, whether the file system shares them."""

    fingerprint: Fingerprint
    size: int
    shared: bool = False


class Sink:
    """A new file that is hashed while it is written. Leaving the ``with`` block by an exception removes it.

    With ``append`` an existing file is continued: its bytes are read once, to be hashed too.

    Raises:
        DiskError: the disk is full.
        WfexsError: it can't be written.
    """

    def __init__(self, path: Path, *, append: bool = False, mode: int = 0o644) -> None:
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._started = 0
        try:
            if append:
                self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
                while chunk := os.read(self._descriptor, CHUNK):
                    self._digest.update(chunk)
                    self.size += len(chunk)
            else:
                self._descriptor = os.open(path, _CREATE, mode)
        except OSError as error:
            raise from_os_error(error, "write") from error

    def write(self, data: bytes | memoryview) -> None:
        """Hash and write."""
        self._digest.update(data)
        self.size += len(data)
        try:
            _write_all(self._descriptor, memoryview(data))
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise from_os_error(error, "write") from error
        self._started = start_writeback(self._descriptor, self._started, self.size)

    def restart(self) -> None:
        """Forget everything written so far."""
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except OSError as error:
            raise from_os_error(error, "write") from error
        self._digest, self.size, self._started = hashlib.sha256(), 0, 0

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of all that was written."""
        return Fingerprint(digest=self._digest.hexdigest())

    def close(self) -> None:
        """Close the file; a second time is nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is not None:
            self.path.unlink(missing_ok=True)


def copy_hashed(
    source: int,
    target: Path,
    *,
    advance: Callable[[int], None] | None = None,
    cancelled: threading.Event | None = None,
    mode: int = 0o644,
    name: str = "",
) -> Copied:
    """Copy an open regular file to ``target``, which must not exist, hashing on the way.

    Where the file system can share the bytes (a reflink) they are shared and then hashed. Otherwise reading, hashing
    and writing go on side by side. ``advance`` hears of the bytes done; ``name`` is the source's, for messages.
    On failure nothing is left at ``target``.

    Raises:
        FetchError: the source can't be read, or ``cancelled`` was set.
        DiskError: the disk is full.
        WfexsError: the target can't be written.
    """
    try:
        descriptor = os.open(target, _CREATE, mode)
    except OSError as error:
        raise from_os_error(error, "write") from error
    try:
        size = os.fstat(source).st_size
        reader = _Source(source, name, advance, cancelled)
        if size >= CHUNK and _reflink(source, descriptor):
            copied = _hash_only(_Source(descriptor, name, advance, cancelled))
        elif size < _THREADED:
            copied = _copy_small(reader, descriptor)
        else:
            copied = _copy_large(reader, descriptor, size)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return copied


class _Source:
    """Reads a descriptor, telling and asking the caller between chunks."""

    def __init__(
        self,
        descriptor: int,
        name: str,
        advance: Callable[[int], None] | None,
        cancelled: threading.Event | None,
    ) -> None:
        self.descriptor = descriptor
        self._name = name
        self._advance = advance
        self._cancelled = cancelled
        self._done = 0

    def read_into(self, buffer: memoryview) -> int:
        if self._cancelled is not None and self._cancelled.is_set():
            raise FetchError("given up", where=self._name or None)
        try:
            count = os.readv(self.descriptor, [buffer])
        except OSError as error:
            raise FetchError(
                f"cannot read {self._name or 'the source'}: {(error.strerror or str(error)).lower()}",
                where=self._name or None,
            ) from error
        self._done += count
        if self._advance is not None and count:
            self._advance(self._done)
        return count


def _hash_only(source: _Source) -> Copied:
    digest, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(CHUNK))
    while count := source.read_into(buffer):
        digest.update(buffer[:count])
        size += count
    return Copied(fingerprint=Fingerprint(digest=digest.hexdigest()), size=size, shared=True)


def _copy_small(source: _Source, target: int) -> Copied:
    digest, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(CHUNK))
    while count := source.read_into(buffer):
        digest.update(buffer[:count])
        try:
            _write_all(target, buffer[:count])
        except OSError as error:
            raise from_os_error(error, "write") from error
        size += count
    return Copied(fingerprint=Fingerprint(digest=digest.hexdigest()), size=size)


def _copy_large(source: _Source, target: int, expected: int) -> Copied:
    """A pipeline: a thread reads, this one hashes, a thread writes; each lets go of the interpreter while it works."""
    _reserve(target, expected)
    free: _Buffers = queue.SimpleQueue()
    hashing: _Buffers = queue.SimpleQueue()
    writing: _Buffers = queue.SimpleQueue()
    for _ in range(_BUFFERS):
        free.put((memoryview(bytearray(CHUNK)), 0))
    reader = _Stage(free, hashing, source.read_into)
    writer = _Stage(writing, free, _Writeback(target).write)
    digest, size = hashlib.sha256(), 0
    try:
        while (item := hashing.get()) is not None and writer.failure is None:
            digest.update(item[0][: item[1]])
            size += item[1]
            writing.put(item)
    finally:
        free.put(None)
        writing.put(None)
        writer.join()
        reader.join()
    for failure in (writer.failure, reader.failure):
        if failure is not None:
            raise failure
    if size != expected:
        os.ftruncate(target, size)
    return Copied(fingerprint=Fingerprint(digest=digest.hexdigest()), size=size)


_Buffers: TypeAlias = "queue.SimpleQueue[tuple[memoryview, int] | None]"
"""Buffers on their way, each with the number of bytes that count in it; ``None`` ends the way."""


class _Stage:
    """A thread that takes buffers from one queue, works on each, and hands it on. It ends with a ``None``.

    ``work`` gets the buffer's part that counts (all of it when nothing counts yet) and returns how much counts now;
    0 is the end.
    """

    def __init__(self, take: _Buffers, give: _Buffers, work: Callable[[memoryview], int]) -> None:
        self.failure: Exception | None = None
        self._take, self._give, self._work = take, give, work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while (item := self._take.get()) is not None:
                buffer, count = item
                count = self._work(buffer[:count] if count else buffer)
                if not count:
                    break
                self._give.put((buffer, count))
        except (OSError, WfexsError) as error:
            self.failure = error
        self._give.put(None)

    def join(self) -> None:
        self._thread.join()


class _Writeback:
    """Writes in order, and has the kernel follow."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._done = self._started = 0

    def write(self, view: memoryview) -> int:
        try:
            _write_all(self._target, view)
        except OSError as error:
            raise from_os_error(error, "write") from error
        self._done += len(view)
        self._started = start_writeback(self._target, self._started, self._done)
        return len(view)


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def _reflink(source: int, target: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise from_os_error(error, "write") from error
        return False
    return True


def _reserve(descriptor: int, size: int) -> None:
    """Ask for the room at once: a full disk is known before the first byte, and the blocks lie together."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(ctypes.c_int(descriptor), 0, ctypes.c_int64(0), ctypes.c_int64(size)) == 0:
        return
    code = ctypes.get_errno()
    # File systems that can't reserve say EOPNOTSUPP; the C library's own emulation would write every block.
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise from_os_error(OSError(code, os.strerror(code)), "write")


def start_writeback(descriptor: int, started: int, done: int) -> int:
    """Have the kernel begin to write what lies between the offsets, without waiting; the new ``started``.

    Nothing happens before 16 MiB are due.
    """
    if done - started < _WRITEBACK:
        return started
    import ctypes

    libc = ctypes.CDLL(None)
    libc.sync_file_range(
        ctypes.c_int(descriptor),
        ctypes.c_int64(started),
        ctypes.c_int64(done - started),
        ctypes.c_uint(_SYNC_FILE_RANGE_WRITE),
    )
    return done
