"""Who uses an open area: the holders of its lock, and whoever has one of its files open."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wfexs_like.vault.locking import FOLDER, USERS

_LOCKS: Final = Path("/proc/locks")
_LONGEST: Final = 60
_FLOCK_FIELDS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, by its number and the beginning of its command line."""

    number: int
    command: str

    def __str__(self) -> str:
        return f"process {self.number}" + (f" ({self.command})" if self.command else "")


def holders(root: Path, name: str = USERS) -> tuple[Process, ...]:
    """The processes that hold a lock of the area, its users' by default (proc(5), locks); not this one."""
    try:
        inode = str((root / FOLDER / name).stat().st_ino)
    except FileNotFoundError:
        return ()
    numbers = set()
    for line in _LOCKS.read_text(encoding="ascii").splitlines():
        # "1: FLOCK ADVISORY READ 4711 fe:00:1234 0 EOF"; those that wait have an arrow before the kind.
        fields = line.split()
        held = len(fields) > _FLOCK_FIELDS and fields[1] == "FLOCK"
        if held and fields[5].rpartition(":")[2] == inode and int(fields[4]) > 0:
            numbers.add(int(fields[4]))
    return tuple(_process(one) for one in sorted(numbers - {os.getpid()}))


def inside(point: Path) -> tuple[Process, ...]:
    """The processes that have files below ``point`` open or work there, of those that may be looked at."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            prefix = f"{point}/"
            if any(f"{one}/".startswith(prefix) for one in _files_of(entry.path)):
                found.append(_process(int(entry.name)))
    return tuple(found)


def _files_of(process: str) -> Iterator[str]:
    names = [f"{process}/{one}" for one in ("cwd", "root", "exe")]
    with contextlib.suppress(OSError):
        names += [one.path for one in os.scandir(f"{process}/fd")]
    for name in names:
        with contextlib.suppress(OSError):
            yield os.readlink(name)  # noqa: PTH115 - hundreds of them


def _process(number: int) -> Process:
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = []
    command = " ".join(one.decode(errors="replace") for one in words).strip()
    command = "".join(one if one.isprintable() else "?" for one in command)
    return Process(number=number, command=command if len(command) <= _LONGEST else f"{command[: _LONGEST - 1]}…")
