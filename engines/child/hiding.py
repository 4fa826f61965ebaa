"""Hiding: the sockets of the machine's daemons are nowhere in this mount namespace.

A daemon does what it is asked outside of our walls, as whoever it is: a container runtime, the service manager. Their
sockets are in ``/run``, which becomes an empty folder; others are covered one by one.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence

RDONLY, NOSUID, NODEV, NOEXEC, BIND = 1, 2, 4, 8, 4096
"""Of mount(2) (linux/mount.h)."""

_RUN = ("/run", "/var/run")
_DEEPEST = 4
_NOTHING = b"/dev/null"

Mount = Callable[[bytes | None, str, int, bytes | None], None]


def hide(mount: Mount, paths: Sequence[str], needed: Sequence[str]) -> tuple[str, ...]:
    """Cover ``/run``, and the sockets and folders ``paths``; the folders that are covered, still to be made read-only.

    Where something ``needed`` (real paths) lies in one of them, it stays, and the sockets in it are covered one by one.
    What can't be covered is told to standard error.
    """
    covered = []
    for path in dict.fromkeys(os.path.realpath(one) for one in (*_RUN, *paths)):
        if not os.path.exists(path):  # noqa: PTH110 - pathlib would be a large import here
            continue
        try:
            if not os.path.isdir(path):  # noqa: PTH112
                mount(_NOTHING, path, BIND, None)
            elif any(one == path or one.startswith(f"{path}/") for one in needed):
                for one in _sockets(path, needed):
                    mount(_NOTHING, one, BIND, None)
            else:
                mount(b"tmpfs", path, NOSUID | NODEV | NOEXEC, b"tmpfs")
                covered.append(path)
        except OSError as error:
            print(f"a socket of the machine's daemons could not be hidden: {error}", file=sys.stderr)  # noqa: T201
    return tuple(covered)


def _sockets(folder: str, needed: Sequence[str], depth: int = 0) -> Iterator[str]:
    """The sockets below a folder, not very deep; what is needed is not looked into."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.path in needed:
            continue
        try:
            kind = entry.stat(follow_symlinks=False).st_mode
        except OSError:
            continue
        if stat.S_ISSOCK(kind):
            yield entry.path
        elif stat.S_ISDIR(kind) and depth < _DEEPEST:
            yield from _sockets(entry.path, needed, depth + 1)
