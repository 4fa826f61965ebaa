"""The locks of an encrypted area, which alone say who uses it: the kernel gives those of the dead back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from staging.errors import LockedError, from_os_error
from staging.removing import open_folder

FOLDER: Final = "vault"
USERS: Final = ".users"
GUARD: Final = ".guard"
_TURN: Final = ".turn"
_PATIENCE: Final = 30.0
# Digits of a number of a process; more of them is none.
_LONGEST: Final = 9
PAUSE: Final = 0.003
"""Seconds between two looks at what ends soon."""


def looks(seconds: float, pause: float = PAUSE) -> Iterator[None]:
    """The times to look whether something came about: at once, and then again and again for so long."""
    until = time.monotonic() + seconds
    yield
    while time.monotonic() <= until:
        time.sleep(pause)
        yield


@contextlib.contextmanager
def turn(root: Path) -> Iterator[None]:
    """While it lasts, nobody else looks whether the area is open in order to open it.

    Raises:
        LockedError: somebody does not come to an end with that.
    """
    descriptor = lock_file(root, _TURN)
    try:
        for _ in looks(_PATIENCE):
            if attempt(descriptor, fcntl.LOCK_EX):
                break
        else:
            raise LockedError(
                "somebody else has been opening the encrypted area for too long",
                hint=f'"fuser {root / FOLDER / _TURN}" says who',
                where=str(root),
            )
        yield
    finally:
        os.close(descriptor)


def lock_file(root: Path, name: str) -> int:
    """A descriptor of one of the files that are locked, made where it is missing."""
    try:
        folder = open_folder(root / FOLDER)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            return os.open(name, flags, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise from_os_error(error, "open the locks of the encrypted area") from error


def is_guarded(root: Path) -> bool:
    """Whether somebody sees to it that the area is closed after its last user."""
    descriptor = lock_file(root, GUARD)
    try:
        return not attempt(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def attempt(descriptor: int, kind: int) -> bool:
    """Lock it with flock(2), if that can be had without waiting."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def server_number(root: Path) -> int:
    """The number of the process that serves the open area; 0 when it is not known."""
    descriptor = lock_file(root, GUARD)
    try:
        text = os.pread(descriptor, _LONGEST, 0).strip()
    finally:
        os.close(descriptor)
    return int(text) if text.isdigit() else 0
