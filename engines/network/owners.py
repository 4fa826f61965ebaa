"""Owners: which process of a network namespace has a socket, and in which folders it and its ancestors work.

Read from proc(5) while the packet waits for its answer, so the process waits as well. A socket that was closed at once
(a datagram that nobody waits for) has no owner any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from engines.network.packets import Attempted

_TABLES = {"tcp": ("tcp",), "udp": ("udp",), "dns": ("udp",), "icmp": ("icmp",), "udplite": ("udplite",)}
_MOST_ANCESTORS = 32


class Owner(NamedTuple):
    """A process: what it is called, and the folders that it and its ancestors work in, nearest first.

    A folder comes twice where the process sees it in another place than it is: the second is what is mounted there,
    from the root of its file system.
    """

    program: str
    folders: tuple[str, ...]


class Owners:
    """Finds owners in the network namespace with inode ``namespace``."""

    def __init__(self, namespace: int) -> None:
        self._link = f"net:[{namespace}]"
        self._last: int | None = None

    def find(self, attempted: Attempted) -> Owner | None:
        """Who has the socket that a packet came from; ``None`` when that can't be seen."""
        if attempted.source_port is None or attempted.protocol not in _TABLES:
            return None
        last = self._last
        inodes: frozenset[str] | None = None
        if last is not None and self._is_here(last):
            inodes = _inodes(last, attempted)
            if inodes and _has(last, inodes):
                return _owner(last)
        for pid in self._processes():
            if inodes is None:
                inodes = _inodes(pid, attempted)
            if not inodes:
                return None
            if _has(pid, inodes):
                self._last = pid
                return _owner(pid)
        return None

    def _processes(self) -> Iterator[int]:
        """Those of the namespace, youngest first: who tries is seldom who was there from the start."""
        numbers = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)  # noqa: PTH208
        return (pid for pid in numbers if self._is_here(pid))

    def _is_here(self, pid: int) -> bool:
        try:
            return os.readlink(f"/proc/{pid}/ns/net") == self._link  # noqa: PTH115
        except OSError:
            return False


def _inodes(pid: int, attempted: Attempted) -> frozenset[str]:
    """The inodes of the sockets with that local port, in the tables of the process's namespace."""
    wanted = f"{attempted.source_port:04X}"
    found: set[str] = set()
    for table in _TABLES[attempted.protocol]:
        # A socket of the later family may speak the earlier one.
        for name in (table, f"{table}6"):
            with suppress(OSError), open(f"/proc/{pid}/net/{name}", encoding="ascii", errors="replace") as lines:  # noqa: PTH123
                for line in lines:
                    words = line.split()
                    if len(words) > 9 and words[1].endswith(f":{wanted}") and words[9] != "0":  # noqa: PLR2004 - proc(5)
                        found.add(f"socket:[{words[9]}]")
    return frozenset(found)


def _has(pid: int, inodes: frozenset[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            with suppress(OSError):
                if os.readlink(f"{folder}/{name}") in inodes:  # noqa: PTH115
                    return True
    return False


def _owner(pid: int) -> Owner:
    program = _read(f"/proc/{pid}/comm").strip()
    folders: dict[str, None] = {}
    mounts: dict[str, list[tuple[str, str]]] = {}
    for one in _lineage(pid):
        try:
            folder = os.readlink(f"/proc/{one}/cwd").removesuffix(" (deleted)")  # noqa: PTH115
            space = os.readlink(f"/proc/{one}/ns/mnt")  # noqa: PTH115
        except OSError:
            continue
        if space not in mounts:
            mounts[space] = _mounts(one)
        folders[folder] = None
        folders[_behind(folder, mounts[space])] = None
    return Owner(program, tuple(folders))


def _lineage(pid: int) -> Iterator[int]:
    """A process, its parent, and so on; not the first process of the machine."""
    for _ in range(_MOST_ANCESTORS):
        if pid <= 1:
            return
        yield pid
        words = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        pid = int(words[1]) if len(words) > 1 else 0


def _mounts(pid: int) -> list[tuple[str, str]]:
    """Where something is mounted, and what: its path from the root of its file system. Later ones lie over others."""
    found = []
    for line in _read(f"/proc/{pid}/mountinfo").split("\n"):
        words = line.split(" ")
        if len(words) > 4:  # noqa: PLR2004 - proc(5)
            found.append((_plain(words[4]), _plain(words[3])))
    return found


def _behind(folder: str, mounts: list[tuple[str, str]]) -> str:
    best = ("", "")
    for place, root in mounts:
        within = place in ("/", folder) or folder.startswith(f"{place}/")
        if within and len(place) >= len(best[0]):
            best = (place, root)
    place, root = best
    return f"{root.rstrip('/')}/{folder.removeprefix(place).lstrip('/')}".rstrip("/") or "/"


def _plain(text: str) -> str:
    """As it was before the kernel wrote blanks in octal."""
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, character)
    return text


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return stream.read()
    except OSError:
        return ""
