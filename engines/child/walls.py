"""Walls: what tools can't change while they run, and where they can't look.

In a mount namespace of our own the staged files, the content store and the engine's libraries are mounted over
themselves, read-only; the run's own folder stays writable, but for its journal. Where the request wants it, all else on
the machine is read-only too, and the machine's folders for temporary files are the run's own scratch space. Then what
could undo that is given up: tools get neither the right to mount nor that to look into other processes, and this
process can't be looked into, so that nobody else speaks on its pipe. Everything here is by mount(2), mount_setattr(2),
prctl(2) and capabilities(7), through libc.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

from engines.child import names
from engines.child.covering import cover, programs
from engines.child.hiding import hide
from engines.child.parting import part

# mount(2) flags (linux/mount.h), and the statvfs(3) flags of a mount that a user namespace has to keep.
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC = 1, 2, 4, 8, 32, 4096, 16384
_KEPT = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
# mount_setattr(2): its number (the same on every machine but alpha), flags, and struct mount_attr.
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = 442, -100, 0x8000, 1
_MOUNT_ATTR = struct.Struct("=QQQQ")
# prctl(2) (linux/prctl.h)
_SET_DUMPABLE, _CAPBSET_DROP, _CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 4, 24, 47, 4
# capabilities(7): open files by handle, set up networks, raw sockets, load modules, raw devices, look into processes,
# mount, reboot, make devices.
_GIVEN_UP = (2, 12, 13, 16, 17, 19, 21, 22, 27)
# capset(2): struct __user_cap_header_struct, and twice __user_cap_data_struct (effective, permitted, inheritable).
_CAPABILITY_VERSION = 0x20080522
_CAPABILITY_HEADER, _CAPABILITY_DATA = struct.Struct("=Ii"), struct.Struct("=6I")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - they are covered, not used
_SHARED_MEMORY = "/dev/shm"  # noqa: S108


def close(request: dict[str, Any]) -> bool:
    """Put up the walls before the first tool starts; whether what is staged can't be written any more.

    ``request`` holds folders: ``content`` of the working directory, ``read_only`` and ``writable`` ones (the latter may
    lie in the former), ``sealed`` files within those, and ``libraries``, those of the engine (may be absent). Without a
    mount namespace (``read_only`` is empty) nothing is mounted. ``all``: everything but ``writable`` is to be read-only
    (kernel 5.12 and later; before, and where it is forbidden, only what is named is). ``temporary``, with ``all``, is
    the folder that stands in for the machine's own folders for temporary files. ``names`` is one for a file of ours
    that says whom to ask for names (``engines.child.names``; may be absent). ``hidden`` are sockets of the machine, and
    folders with some, that nobody in here may find, besides those in ``/run`` (may be absent). ``covered`` folders (may
    be absent) are to be empty, but for what the run needs.

    ``secret``, with ``all``: what is written stays in ``writable``, in ``temporary`` and in memory, wherever that is.

    Raises:
        OSError: that is asked for, and can't be had.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if request.get("secret"):
        # A limit of one byte also keeps dumps from programs that they are piped to, which none at all would not:
        # core(5), and do_coredump in the kernel's fs/coredump.c.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        if not request.get("read_only"):
            raise OSError(errno.EPERM, "nothing can be mounted, and what runs would write where everybody reads")
    held = _mount(libc, request) if request.get("read_only") else False
    for capability in _GIVEN_UP:
        # Without the right to do so there is nothing to give up either.
        libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0)
    _hand_nothing_on(libc)
    libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    return held


def _hand_nothing_on(libc: Any) -> None:
    """Empty the inheritable capabilities: root's programs would get those besides what may be got at most.

    ``unshare --keep-caps`` fills them in a user namespace.
    """
    header = ctypes.create_string_buffer(_CAPABILITY_HEADER.pack(_CAPABILITY_VERSION, 0))
    data = ctypes.create_string_buffer(_CAPABILITY_DATA.size)
    if libc.capget(header, data) != 0:
        return
    effective, permitted, _, high_effective, high_permitted, _ = _CAPABILITY_DATA.unpack_from(data)
    _CAPABILITY_DATA.pack_into(data, 0, effective, permitted, 0, high_effective, high_permitted, 0)
    if libc.capset(header, data) != 0:
        print("capabilities could not be taken from what is started", file=sys.stderr)  # noqa: T201


def _mount(libc: Any, request: dict[str, Any]) -> bool:
    content = request["content"]
    if not request.get("all") and os.statvfs(content).f_flag & os.ST_RDONLY:
        # Put up before we began again with all libraries.
        return True
    mount = _mounting(libc)
    part(libc, mount, content, _needed(request))
    if request.get("covered"):
        cover(mount, request["covered"], (*_used(request), *programs(_searched(request))))
    hidden = hide(mount, request.get("hidden", ()), _needed(request))
    _point_names(libc, request)
    if request.get("all"):
        _close_all(libc, request)
    try:
        for path in filter(os.path.ismount, hidden):
            _call(libc, None, os.fsencode(path), _REMOUNT | _RDONLY | _NOSUID | _NODEV | _NOEXEC)
        for path in _read_only(request):
            if os.path.exists(path):  # noqa: PTH110
                _over_itself(libc, path, _RDONLY)
        for path in request["writable"]:
            _over_itself(libc, path, 0)
        for path in request["sealed"]:
            _over_itself(libc, path, _RDONLY)
        # The old working directory is still the one below the mount.
        os.chdir(content)
    except OSError as error:
        if request.get("secret"):
            raise
        print(f"what is staged could not be made read-only, so it is only watched: {error}", file=sys.stderr)  # noqa: T201
        return False
    return True


def _mounting(libc: Any) -> Callable[[bytes | None, str | bytes, int, bytes | None], None]:
    """mount(2), as others want it."""

    def mount(source: bytes | None, target: str | bytes, flags: int, kind: bytes | None) -> None:
        _call(libc, source, os.fsencode(target), flags, kind=kind)

    return mount


def _used(request: dict[str, Any]) -> tuple[str, ...]:
    """The folders and files of the run itself, its engine included."""
    return (*_read_only(request), request["content"], *request["writable"])


def _searched(request: dict[str, Any]) -> tuple[str, ...]:
    """Where programs are looked for: by us, and by what the engine starts."""
    return os.environ.get("PATH", ""), request.get("environment", {}).get("PATH", "")


def _needed(request: dict[str, Any]) -> list[str]:
    """The real paths of all that has to be found where it is."""
    places = [one for path in _searched(request) for one in path.split(":")]
    return [os.path.realpath(one) for one in (*_used(request), sys.executable, sys.prefix, *places) if one]


def _point_names(libc: Any, request: dict[str, Any]) -> None:
    """Let names be asked of whoever watches; ``names`` is a folder for the file that says so (may be absent)."""
    folder = request.get("names")
    found = names.place(folder) if folder else None
    if found is None:
        return
    ours, theirs = found
    try:
        _call(libc, os.fsencode(ours), os.fsencode(theirs), _BIND)
    except OSError as error:
        print(f"names are asked of the machine's own resolver: {error}", file=sys.stderr)  # noqa: T201


def _read_only(request: dict[str, Any]) -> tuple[str, ...]:
    standard = os.path.dirname(os.__file__)  # noqa: PTH120
    return (*request.get("libraries", ()), standard, *request["read_only"])


def _close_all(libc: Any, request: dict[str, Any]) -> None:
    """Make every mount read-only but the folders for temporary files and shared memory.

    A folder for temporary files that something of ours lies below is not covered, since that would not be found any
    more: there it stays as it is, and only what is named is read-only in it. With ``secret`` it is, and what is needed
    is mounted again in it.
    """
    try:
        opened = list(_cover(libc, request))
        _set_attributes(libc, "/", _AT_RECURSIVE, to_set=_ATTR_RDONLY)
        for path in opened:
            _set_attributes(libc, path, 0, to_clear=_ATTR_RDONLY)
    except OSError as error:
        if request.get("secret"):
            raise
        print(f"only what is staged and shared could be made read-only: {error}", file=sys.stderr)  # noqa: T201


def _cover(libc: Any, request: dict[str, Any]) -> Iterator[str]:
    """Mount something of the run's own over each folder that everybody writes to; those that stay writable."""
    if os.path.isdir(_SHARED_MEMORY):  # noqa: PTH112
        _private_memory(libc, _SHARED_MEMORY)
        yield _SHARED_MEMORY
    temporary = request.get("temporary")
    if temporary is None:
        return
    real = _needed(request)
    for folder in dict.fromkeys(os.path.realpath(one) for one in _TEMPORARY):
        if not os.path.isdir(folder):  # noqa: PTH112
            continue
        if request.get("secret"):
            _cover_for_good(libc, folder, request)
            yield folder
            continue
        within = any(one == folder or one.startswith(f"{folder}/") for one in real)
        source = os.fsencode(folder if within else temporary)
        _call(libc, source, os.fsencode(folder), _BIND | _REC)
        yield folder


def _cover_for_good(libc: Any, folder: str, request: dict[str, Any]) -> None:
    """Mount the run's own over a folder, and what is needed again in it."""
    needed = (*_used(request), *programs(_searched(request)))
    if folder in map(os.path.realpath, needed):
        raise OSError(errno.EBUSY, "a folder for temporary files is needed as a whole, and can't be covered", folder)
    cover(_mounting(libc), [folder], needed, under=request["temporary"])


def _private_memory(libc: Any, folder: str) -> None:
    """An empty file system in memory, not to be swapped out where the kernel can do that (6.4, and not everybody)."""
    for options in (b"noswap", None):
        if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(_NOSUID | _NODEV), options) == 0:
            return
    _fail(folder)


def _over_itself(libc: Any, path: str, read_only: int) -> None:
    name = os.fsencode(os.path.realpath(path))
    found = os.statvfs(name).f_flag
    kept = sum(flag for seen, flag in _KEPT.items() if found & seen)
    _call(libc, name, name, _BIND | _REC)
    _call(libc, None, name, _REMOUNT | _BIND | read_only | kept)


def _call(libc: Any, source: bytes | None, target: bytes, flags: int, *, kind: bytes | None = None) -> None:
    if libc.mount(source, target, kind, ctypes.c_ulong(flags), None) != 0:
        _fail(os.fsdecode(target))


def _set_attributes(libc: Any, path: str, flags: int, *, to_set: int = 0, to_clear: int = 0) -> None:
    attributes = _MOUNT_ATTR.pack(to_set, to_clear, 0, 0)
    call, size = ctypes.c_long(_MOUNT_SETATTR), ctypes.c_size_t(_MOUNT_ATTR.size)
    if libc.syscall(call, _AT_FDCWD, os.fsencode(path), flags, attributes, size) != 0:
        _fail(path)


def _fail(path: str) -> None:
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code), path)
