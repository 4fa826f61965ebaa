"""Sealing: the state of a task's folder when the task was over, so that a run that goes on from it can tell a change.

A file is known by its place, size and times and by its inode. Nobody can set back the time of its last change of any
kind (ctime), so this finds every change without reading anything. Only where files get further names afterwards
(published by hard link), which is such a change, their bytes are read, and of what a task wrote to its streams, which
is kept as links among the run's logs.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator

# The engine tells whole milliseconds. The clock of a file system may be behind that, but not before it.
_TICK_NS = 1_000_000
_STREAMS = (".command.out", ".command.err", ".command.log")


def is_late(workdir: str, ended_ms: float, *, names_apart: bool) -> bool:
    """Whether something in a folder was changed after its task had ended (in milliseconds since 1970).

    ``names_apart``: files that have several names don't count.
    """
    limit = int(ended_ms) * 1_000_000 + _TICK_NS
    return any(
        status.st_ctime_ns > limit
        for _, status in _entries(workdir)
        if not (names_apart and stat.S_ISREG(status.st_mode) and status.st_nlink > 1)
    )


def has_links(workdir: str) -> bool:
    """Whether a file in a folder has several names."""
    return any(stat.S_ISREG(status.st_mode) and status.st_nlink > 1 for _, status in _entries(workdir))


def seal(workdir: str, *, by_bytes: bool) -> str | None:
    """The sha256 of all that a folder's state is, ``None`` where it can't be read; ``by_bytes`` reads every file."""
    if not os.path.isdir(workdir):  # noqa: PTH112
        return None
    digest = hashlib.sha256()
    try:
        for path, status in _entries(workdir):
            name = os.path.relpath(path, workdir)
            for field in (name, *_state(path, status, by_bytes=by_bytes or name in _STREAMS)):
                digest.update(os.fsencode(str(field)) + b"\0")
            digest.update(b"\n")
    except OSError:
        return None
    return digest.hexdigest()


def _state(path: str, status: os.stat_result, *, by_bytes: bool) -> tuple[object, ...]:
    kind = stat.S_IFMT(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return kind, os.readlink(path), status.st_ino, status.st_ctime_ns  # noqa: PTH115
    if not stat.S_ISREG(status.st_mode):
        return (kind,)
    if by_bytes:
        with open(path, "rb") as stream:  # noqa: PTH123
            return kind, status.st_size, hashlib.file_digest(stream, "sha256").hexdigest()
    return kind, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode


def _entries(workdir: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything in a folder, in order; links are not followed."""
    for folder, folders, files in os.walk(workdir):
        folders.sort()
        for name in sorted((*folders, *files)):
            path = os.path.join(folder, name)  # noqa: PTH118
            yield path, os.lstat(path)
