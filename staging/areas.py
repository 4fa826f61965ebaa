"""How the content of a working directory is kept: as it is, or in an area that is open only while it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

ENCRYPTED: Final = "gocryptfs"
PLAIN: Final = "plain"
VAULTS: Final = (ENCRYPTED, PLAIN)
"""What a stage file may ask for."""


class Area(Protocol):
    """What lies between the folder ``work`` and the disk. ``kind`` is its name in ``workdir.json``."""

    kind: str

    def make(self) -> None:
        """Make it, empty and closed, below a folder that has an empty ``work``."""

    def open(self) -> AbstractContextManager[None]:
        """While it lasts, ``work`` shows the content."""


_served: list[tuple[Path, int]] = []


@contextmanager
def served(folder: Path, process: int) -> Iterator[None]:
    """While it lasts, ``folder`` is there only as long as a process lives, whose pidfd (pidfd_open(2)) this is."""
    one = (folder, process)
    _served.append(one)
    try:
        yield
    finally:
        _served.remove(one)


def servers_of(path: Path) -> tuple[int, ...]:
    """The pidfds of those that what is at ``path`` needs to be there; one becomes readable when its process ends."""
    return tuple(process for folder, process in tuple(_served) if path.is_relative_to(folder))
