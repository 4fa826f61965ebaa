"""Metering: what a container used of processor and memory, as the kernel counted it in the container's cgroup.

A runtime says the container's id in a file, the id says where its cgroup is, and a process in there that is the first
of its PID namespace is the container's own. What was counted is read the moment that one ends: the runtime needs some
milliseconds more to remove the cgroup. A container that is over before it was found has no numbers, and so has one
whose cgroup is not to be seen from here. Source: cgroup-v1/memory.rst, cgroup-v1/cpuacct.rst, cgroup-v2.rst (Linux).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

PAUSE: Final = 0.02
"""Seconds between two looks for a container that was just ordered."""

METERED: Final = ("cpu_seconds", "max_memory_bytes", "read_bytes", "written_bytes")
"""What may be in ``Meter.usage``."""

CGROUPS: Final = Path("/sys/fs/cgroup")
_PATIENCE: Final = 30.0
_ID: Final = re.compile(r"[0-9a-f]{64}")
_USED: Final = re.compile(rb"^usage_usec ([0-9]+)$", re.MULTILINE)
_MOST_TEXT: Final = 1 << 16


class Meter:
    """Measures the container whose id its runtime writes to ``cidfile``. ``cgroups`` is where they are mounted.

    ``process`` is a descriptor of the container's first process, once it was found, readable when that has ended.
    ``usage`` has ``max_memory_bytes`` (page cache is part of it), ``cpu_seconds``, and ``read_bytes`` and
    ``written_bytes`` (of disks), each where it is known: cgroups v1 count what is written later for somebody else.
    """

    def __init__(self, cidfile: Path, cgroups: Path = CGROUPS) -> None:
        self.process: int | None = None
        self.usage: dict[str, float] = {}
        self.looking = True
        self._cidfile = cidfile
        self._cgroups = cgroups
        self._counts: list[tuple[str, int, Callable[[bytes], float | None]]] = []
        self._deadline = time.monotonic() + _PATIENCE

    def look(self) -> bool:
        """Look for the container, if it wasn't found; whether it was found just now."""
        if not self.looking:
            return False
        try:
            name = self._cidfile.read_text("ascii", "replace")
            found = _ID.fullmatch(name) is not None and self._open(name)
        except OSError:
            found = False
        self.looking = not found and time.monotonic() < self._deadline
        return found

    def read(self) -> None:
        """Read what was counted so far; what can't be read any more keeps what was read before."""
        for name, file, meaning in self._counts:
            with suppress(OSError, ValueError):
                value = meaning(os.pread(file, _MOST_TEXT, 0))
                if value is not None:
                    self.usage[name] = value

    def close(self) -> None:
        """Let go of it."""
        for file in (self.process, *(file for _, file, _ in self._counts)):
            if file is not None:
                os.close(file)
        self.process, self._counts, self.looking = None, [], False

    def _open(self, name: str) -> bool:
        first = next((pid for place in _places(name) for pid in self._first_of(place)), None)
        if first is None:
            return False
        # One that has ended meanwhile can't be waited for.
        self.process = os.pidfd_open(first)
        for place in _places(name):
            for what, root, file, meaning in _COUNTED:
                if all(what != known for known, _, _ in self._counts):
                    with suppress(OSError):
                        there = self._cgroups / root / place / file
                        self._counts.append((what, os.open(there, os.O_RDONLY | os.O_CLOEXEC), meaning))
        return True

    def _first_of(self, place: str) -> Iterator[int]:
        """The process of a cgroup that is the first of its PID namespace, the outermost if there are several."""
        depths = {}
        for root in ("memory", "cpuacct", ""):
            folder = f"{self._cgroups}/{root}/{place}"
            # Asked of many places, many times: a path object for each takes longer than all else.
            for below in ("", "container") if os.path.isdir(folder) else ():  # noqa: PTH112
                with suppress(OSError):
                    for pid in Path(folder, below, "cgroup.procs").read_text("ascii").split():
                        numbers = _numbers(pid)
                        if len(numbers) > 1 and numbers[-1] == "1":
                            depths[int(pid)] = len(numbers)
        if depths:
            yield min(depths, key=lambda pid: depths[pid])


def _numbers(pid: str) -> list[str]:
    """A process's numbers in the PID namespaces that it is in, from ours down. Source: proc(5), ``NSpid``."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("NSpid:"):
                return line.split()[1:]
    return []


def _places(name: str) -> Iterator[str]:
    """Where docker and podman put a container's cgroup, below each hierarchy's root: by themselves, or by systemd."""
    yield f"docker/{name}"
    yield f"system.slice/docker-{name}.scope"
    yield f"libpod_parent/libpod-{name}"
    yield f"machine.slice/libpod-{name}.scope"
    ours = f"user.slice/user-{os.geteuid()}.slice/user@{os.geteuid()}.service/user.slice"
    yield f"{ours}/docker-{name}.scope"
    yield f"{ours}/libpod-{name}.scope"


def _seconds(text: bytes) -> float | None:
    used = _USED.search(text)
    return None if used is None else round(int(used[1]) / 1e6, 6)


def _of_disks(field: bytes) -> Callable[[bytes], float | None]:
    """The sum over all devices of a field of ``io.stat``."""
    stated = re.compile(rb"\b" + field + rb"=([0-9]+)\b")

    def total(text: bytes) -> float | None:
        # One that is full may have been cut.
        return sum(map(int, stated.findall(text))) if len(text) < _MOST_TEXT else None

    return total


_COUNTED: Final[tuple[tuple[str, str, str, Callable[[bytes], float | None]], ...]] = (
    ("max_memory_bytes", "memory", "memory.max_usage_in_bytes", int),
    ("max_memory_bytes", "", "memory.peak", int),
    ("cpu_seconds", "cpuacct", "cpuacct.usage", lambda text: round(int(text) / 1e9, 6)),
    ("cpu_seconds", "", "cpu.stat", _seconds),
    ("read_bytes", "", "io.stat", _of_disks(b"rbytes")),
    ("written_bytes", "", "io.stat", _of_disks(b"wbytes")),
)
"""What is counted, by the hierarchy's root (empty: the one of cgroups v2), the file, and what is in it."""
