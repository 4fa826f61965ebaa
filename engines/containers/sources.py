"""Sources: what a container is given to see is held open, so that it can be told whether it still is that.

A path is decided on first and mounted later, by somebody else. Meanwhile what runs in the run's folder may put a link
in its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from engines.containers.base import Mount
from staging.errors import PolicyError

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Held:
    """Sources of mounts, held open until ``close``."""

    def __init__(self) -> None:
        self._descriptors: list[tuple[Path, int]] = []

    def add(self, root: Path, source: Path) -> None:
        """Open ``source``, which lies at or below ``root``, step by step: no link is followed.

        Raises:
            PolicyError: it is not there, or is neither a file nor a folder.
        """
        self._descriptors.append((source, _walk(root, source)))

    def moved(self, root: Path) -> Path | None:
        """The first source that is no longer what it was when it was added."""
        for source, held in self._descriptors:
            try:
                now = _walk(root, source)
            except PolicyError:
                return source
            try:
                if not os.path.samestat(os.fstat(now), os.fstat(held)):
                    return source
            finally:
                os.close(now)
        return None

    def close(self) -> None:
        """Let go of them."""
        while self._descriptors:
            os.close(self._descriptors.pop()[1])


def hold(root: Path, mounts: Iterable[Mount]) -> Held:
    """Hold the source of each mount; see ``Held.add``."""
    held = Held()
    try:
        for one in mounts:
            held.add(root, one.source)
    except BaseException:
        held.close()
        raise
    return held


def _walk(root: Path, source: Path) -> int:
    found = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        for name in source.relative_to(root).parts:
            inner = os.open(name, _STEP, dir_fd=found)
            os.close(found)
            found = inner
        kind = os.fstat(found).st_mode
    except OSError as error:
        os.close(found)
        raise PolicyError(
            f"a container was asked for that sees {source}, and that is not to be had: {error.strerror}"
        ) from error
    if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
        os.close(found)
        raise PolicyError(f"a container was asked for that sees {source}, which is neither a file nor a folder")
    return found
