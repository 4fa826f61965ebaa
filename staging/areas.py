"""How the content of a working directory is kept: as it is, or in an area that is open only while it is used."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Area(Protocol):
    """What lies between the folder ``work`` and the disk. ``kind`` is its name in ``workdir.json``."""

    kind: str

    def make(self) -> None:
        """Make it, empty and closed, below a folder that has an empty ``work``."""

    def open(self) -> AbstractContextManager[None]:
        """While it lasts, ``work`` shows the content."""
