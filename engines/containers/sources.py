"""Sources: what a container is given to see is held open, so that it can be told whether it still is that.

A path is decided on first and mounted later, by somebody else. Meanwhile what runs in the run's folder may put a link
in its place. A container runtime takes paths; it makes a container's mounts in a mount namespace of the container's
own, where what we hold open can't be mounted from. So that is prevented where it can be, by what a runtime mounts
before (``Mount.held``) or by a look at what was mounted (``engines.containers.witness``), and looked for everywhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engines.containers.base import Mount
from staging.errors import PolicyError

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class ExchangedError(PolicyError):
    """Something else was put in the place of what a container was to see: the run can't be trusted any more."""


class Held:
    """Sources of mounts, held open until ``close``. Those below the folders of ``root`` are looked at step by step.

    ``own`` is the run's folder: what lies below it may be exchanged by what runs.

    Raises:
        PolicyError: one is not there, is reached by a link, or is neither a file nor a folder.
    """

    def __init__(self, root: Path, own: Path, mounts: Iterable[Mount]) -> None:
        self._root = root
        self._own = own
        self._descriptors: dict[Path, int] = {}
        try:
            for one in mounts:
                if one.source not in self._descriptors:
                    self._descriptors[one.source] = walk(root, one.source)
        except BaseException:
            self.close()
            raise

    def fixed(self, mount: Mount, safe: Path) -> Mount:
        """The mount, so that nothing else can be put in its place where something of the run could do that.

        A folder is named by our descriptor besides. A file gets another name in the new folder ``safe``, which nobody
        else writes to.
        """
        if not mount.writable and self._own not in mount.source.parents:
            return mount
        held = self._descriptors[mount.source]
        if stat.S_ISDIR(os.fstat(held).st_mode):
            return replace(mount, held=f"/proc/{os.getpid()}/fd/{held}")
        safe.mkdir(parents=True, exist_ok=True)
        name = f"file-{held}"
        folder = os.open(safe, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # With a folder's descriptor Python takes linkat(2), which can follow the link to what is open.
            os.link(f"/proc/self/fd/{held}", name, dst_dir_fd=folder, follow_symlinks=True)
        except OSError:
            # The file system has no links: whether it was exchanged is seen afterwards.
            return mount
        finally:
            os.close(folder)
        return replace(mount, source=safe / name)

    def numbers(self, mount: Mount) -> tuple[int, int]:
        """The device and the inode of what is to be mounted."""
        found = os.fstat(self._descriptors[mount.source])
        return found.st_dev, found.st_ino

    def moved(self) -> Path | None:
        """The first source that is no longer what it was."""
        for source, held in self._descriptors.items():
            try:
                now = walk(self._root, source)
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
            os.close(self._descriptors.popitem()[1])


def walk(root: Path, source: Path) -> int:
    """Open (``O_PATH``) what lies below ``root``, step by step and by no link.

    Raises:
        PolicyError: it is not there, is reached by a link, or is neither a file nor a folder.
    """
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
