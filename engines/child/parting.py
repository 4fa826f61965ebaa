"""Parting: open encrypted areas of other working directories are not in this mount namespace.

A new mount namespace begins with a copy of every mount. With that of an open area, what is in there could be read from
in here, and its server would stay for as long as this run goes on, whoever unmounts it elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# umount2(2): MNT_DETACH, UMOUNT_NOFOLLOW (sys/mount.h). Of mount(2): MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC.
_DETACH, _NOFOLLOW = 2, 8
_EMPTY = 1 | 2 | 4 | 8
_TABLE = "/proc/self/mountinfo"
_OURS = b"wfexs-like:"
_SHARED = b"shared:"

Mount = Callable[[bytes, str, int, bytes], None]


def part(libc: Any, mount: Mount, content: str, needed: Sequence[str]) -> None:
    """Take every open area out of this namespace but that of ``content``, and those that something needed is in.

    None of them is looked into: its server may not answer. What can't be taken out is covered (in a user namespace the
    kernel lets go of no mount that it began with); what can't be covered is told to standard error.
    """
    own = os.stat(content).st_dev  # noqa: PTH116 - pathlib would be a large import here
    for point in _others(f"{os.major(own)}:{os.minor(own)}".encode(), needed):
        try:
            if libc.umount2(os.fsencode(point), _DETACH | _NOFOLLOW) != 0:
                mount(b"tmpfs", point, _EMPTY, b"tmpfs")
        except OSError as error:
            if not os.access(os.path.dirname(point), os.X_OK):  # noqa: PTH120
                # Another user's, whose folders nobody gets through: the log need not tell where they are.
                continue
            print(f"an open encrypted area of others could not be hidden: {error}", file=sys.stderr)  # noqa: T201


def _others(own: bytes, needed: Sequence[str]) -> Iterator[str]:
    """Where the areas of others are mounted, the latest first; see proc(5), mountinfo."""
    with open(_TABLE, "rb") as table:  # noqa: PTH123
        # A carriage return in a name is none of the characters that are escaped, and ends no line.
        lines = [line.rstrip(b"\n").split(b" ") for line in table]
    shared = {
        fields[0] for fields in lines if any(one.startswith(_SHARED) for one in fields[6 : fields.index(b"-", 6)])
    }
    for fields in reversed(lines):
        kind, source = fields[fields.index(b"-", 6) + 1 :][:2]
        point = os.fsdecode(fields[4].decode("unicode_escape").encode("latin-1"))
        if not kind.startswith(b"fuse") or not source.startswith(_OURS) or fields[2] == own:
            continue
        if any(one == point or one.startswith(f"{point}/") for one in needed):
            continue
        if fields[1] in shared:
            print(f"{point} is shared with other namespaces, and stays", file=sys.stderr)  # noqa: T201
            continue
        yield point
