"""Unfinished results: a hidden folder beside where a result will be, and what dead processes left of theirs.

Whoever makes one holds a lock (flock(2)) on it, which the kernel lets go of however the process ends. What is hidden
there, and locked by nobody, is of no use to anyone and may be plaintext: the next one who makes something in the same
folder removes it.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from staging.errors import WfexsError
from staging.removing import remove_path

_NAME: Final = re.compile(r"\..*\.[0-9a-f]{12}\.part", re.DOTALL)
_LONGEST: Final = 100
"""Bytes of the result's name in that of the folder, which may have 255 in all."""


@contextmanager
def hidden_beside(destination: Path) -> Iterator[Path]:
    """An empty folder beside ``destination``, which only its owner may enter, to make there what is to get that name.

    What is in it when the block ends is removed, as is what dead processes left in folders like it.

    Raises:
        OSError: it can't be made. WfexsError: it can't be removed.
    """
    remove_leftovers(destination.parent)
    folder, descriptor = _make(destination)
    try:
        yield folder
    finally:
        try:
            remove_path(folder)
        finally:
            os.close(descriptor)


def remove_leftovers(parent: Path) -> int:
    """Remove the hidden folders of one's own dead processes in ``parent``; how many there were."""
    with os.scandir(parent) as entries:
        found = [Path(one.path) for one in entries if _NAME.fullmatch(one.name)]
    removed = 0
    for folder in found:
        # Another one may be removing it as well, and sees to it then.
        with suppress(OSError, WfexsError):
            removed += _remove_if_dead(folder)
    return removed


def _make(destination: Path) -> tuple[Path, int]:
    name = os.fsencode(destination.name)[:_LONGEST].decode(errors="ignore")
    while True:
        folder = destination.with_name(f".{name}.{uuid.uuid4().hex[:12]}.part")
        folder.mkdir(mode=0o700)
        try:
            descriptor = _open(folder)
        except FileNotFoundError:
            continue  # taken for a dead one's, before it was locked
        # On a file system without such locks nobody can see that it is a dead one's either.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_still(folder, descriptor):
            return folder, descriptor
        os.close(descriptor)


def _remove_if_dead(folder: Path) -> bool:
    descriptor = _open(folder)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_still(folder, descriptor):
            return False
        remove_path(folder)
        return True
    finally:
        os.close(descriptor)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is_still(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.lstat())
    except OSError:
        return False
