"""Walls: what tools can't change while they run, and where they can't look.

In a mount namespace of our own the staged files, the content store and the engine's libraries are mounted over
themselves, read-only; the run's own folder stays writable, but for its journal. Then what could undo that is given up:
tools get neither the right to mount nor that to look into other processes, and this process can't be looked into, so
that nobody else speaks on its pipe. Everything here is by mount(2), prctl(2) and capabilities(7), through libc.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

# mount(2) flags (linux/mount.h), and the statvfs(3) flags of a mount that a user namespace has to keep.
_RDONLY, _REMOUNT, _BIND, _REC = 1, 32, 4096, 16384
_KEPT = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
# prctl(2) (linux/prctl.h)
_SET_DUMPABLE, _CAPBSET_DROP, _CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 4, 24, 47, 4
# capabilities(7): open files by handle, load modules, raw devices, look into processes, mount, reboot, make devices.
_GIVEN_UP = (2, 16, 17, 19, 21, 22, 27)


def close(request: dict[str, Any]) -> bool:
    """Put up the walls before the first tool starts; whether what is staged can't be written any more.

    ``request`` holds folders: ``content`` of the working directory, ``read_only`` and ``writable`` ones (the latter may
    lie in the former), ``sealed`` files within those, and ``libraries``, those of the engine (may be absent). Without a
    mount namespace (``read_only`` is empty) nothing is mounted.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    held = _mount(libc, request) if request.get("read_only") else False
    for capability in _GIVEN_UP:
        # Without the right to do so there is nothing to give up either.
        libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0)
    libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    return held


def _mount(libc: Any, request: dict[str, Any]) -> bool:
    content = request["content"]
    if os.statvfs(content).f_flag & os.ST_RDONLY:
        # Put up before we began again with all libraries.
        return True
    standard = os.path.dirname(os.__file__)  # noqa: PTH120
    try:
        for path in (*request.get("libraries", ()), standard, *request["read_only"]):
            if os.path.exists(path):  # noqa: PTH110
                _over_itself(libc, path, _RDONLY)
        for path in request["writable"]:
            _over_itself(libc, path, 0)
        for path in request["sealed"]:
            _over_itself(libc, path, _RDONLY)
        # The old working directory is still the one below the mount.
        os.chdir(content)
    except OSError as error:
        print(f"what is staged could not be made read-only, so it is only watched: {error}", file=sys.stderr)  # noqa: T201
        return False
    return True


def _over_itself(libc: Any, path: str, read_only: int) -> None:
    name = os.fsencode(os.path.realpath(path))
    found = os.statvfs(name).f_flag
    kept = sum(flag for seen, flag in _KEPT.items() if found & seen)
    _call(libc, name, name, _BIND | _REC)
    _call(libc, None, name, _REMOUNT | _BIND | read_only | kept)


def _call(libc: Any, source: bytes | None, target: bytes, flags: int) -> None:
    if libc.mount(source, target, None, ctypes.c_ulong(flags), None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fsdecode(target))
