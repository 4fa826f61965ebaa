"""Locks between processes: many named locks in one file, given back by the kernel however their holder ends.

A lock is one byte of a lock file, its place made of the lock's name (Linux open-file-description locks, ``fcntl(2)``).
So there is nothing to clean up: a dead holder, a reused process number or a restarted machine leave no stale lock, and
ten thousand locks leave no ten thousand files. Two locks whose names fall on the same byte (one pair in 2**62) only
wait for each other.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from staging.errors import LockedError, WfexsError, from_os_error
from staging.placing import make_folders

# struct flock of fcntl(2): type, whence, start, length, pid; the last item pads it to its size.
_FLOCK = "hhqqi0q"
_BUSY = (errno.EAGAIN, errno.EACCES)
_MOVED_TRIES = 100


class Held:
    """A lock that is held until ``release`` or the end of the ``with`` block."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class LockFile:
    """The locks of one folder. Threads of one process exclude each other as processes do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def hold(
        self,
        name: str,
        *,
        shared: bool = False,
        patience: float | None = None,
        cancelled: threading.Event | None = None,
        waiting: Callable[[], None] | None = None,
        what: str = "it",
    ) -> Held:
        """Wait for the lock ``name`` and hold it.

        ``patience`` is in seconds (``None``: no limit, 0: don't wait). ``waiting`` is called once when it has taken a
        second. ``what`` names the thing in the error.

        Raises:
            LockedError: somebody else held it for longer than ``patience``, or ``cancelled`` was set.
        """
        started = time.monotonic()
        pause = 0.001
        told = False
        while True:
            held = self.attempt(name, shared=shared)
            if held is not None:
                return held
            spent = time.monotonic() - started
            if (patience is not None and spent >= patience) or (cancelled is not None and cancelled.is_set()):
                raise LockedError(
                    f"somebody else is using {what}",
                    hint="wait for the other process, or stop it",
                    where=str(self.path),
                )
            if waiting is not None and not told and spent > 1.0:
                told = True
                waiting()
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def attempt(self, name: str, *, shared: bool = False) -> Held | None:
        """The lock if it is free this very moment, else ``None``."""
        for _ in range(_MOVED_TRIES):
            descriptor = self._open(shared=shared)
            try:
                locked = _lock(descriptor, _place(name), shared=shared)
                if locked and not self._is_current(descriptor):
                    os.close(descriptor)  # somebody deleted the file under us: a lock on it excludes nobody
                    continue
            except OSError as error:
                os.close(descriptor)
                raise self._cannot(error) from error
            if locked:
                return Held(descriptor)
            os.close(descriptor)
            return None
        raise self._replaced()

    def attempt_many(self, names: Sequence[str]) -> tuple[Held, frozenset[str]]:
        """Those of the locks that are free this very moment, held together."""
        for _ in range(_MOVED_TRIES):
            descriptor = self._open(shared=False)
            try:
                taken = frozenset(name for name in names if _lock(descriptor, _place(name), shared=False))
                current = self._is_current(descriptor)
            except OSError as error:
                os.close(descriptor)
                raise self._cannot(error) from error
            if current:
                return Held(descriptor), taken
            os.close(descriptor)
        raise self._replaced()

    def is_held(self, name: str) -> bool:
        """Whether somebody (another thread included) holds the lock now. The file is not made for this."""
        if not os.path.lexists(self.path):
            return False
        held = self.attempt(name)
        if held is None:
            return True
        held.release()
        return False

    def _cannot(self, error: OSError) -> WfexsError:
        return WfexsError(
            f"cannot lock {self.path}: {error.strerror}",
            hint="this file system has no locks; put the cache and the working directories on another one",
            where=str(self.path),
        )

    def _replaced(self) -> WfexsError:
        return WfexsError(f"cannot lock {self.path}: it is replaced again and again", where=str(self.path))

    def _open(self, *, shared: bool) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            for _ in range(_MOVED_TRIES):
                try:
                    return os.open(self.path, flags, 0o644)
                except FileNotFoundError:
                    # Its folder may be swept away again before we get there.
                    make_folders(self.path.parent)
            raise self._replaced()
        except OSError as error:
            if shared and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM) and self.path.is_file():
                # A shared lock needs no more than to read: another user's or a read-only folder.
                return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            raise from_os_error(error, f"open the lock file {self.path}") from error

    def _is_current(self, descriptor: int) -> bool:
        mine = os.fstat(descriptor)
        try:
            now = self.path.lstat()
        except FileNotFoundError:
            return False
        return (mine.st_dev, mine.st_ino) == (now.st_dev, now.st_ino)


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """While it lasts, nobody else holds ``folder``, for a moment's work; no file is made for that.

    Raises:
        DiskError, WfexsError: it can't be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise from_os_error(error, f"open {folder}") from error
    try:
        # On a file system without such locks two may come at once, whose names may then be the same.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _place(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2


def _lock(descriptor: int, place: int, *, shared: bool) -> bool:
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    request = struct.pack(_FLOCK, kind, os.SEEK_SET, place, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True
