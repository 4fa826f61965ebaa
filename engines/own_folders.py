"""A run's own folders: known by what they are, not by what is called so when the run is over.

What runs in a run's folder may put something else in place of a folder there, such as a link to somewhere else. We are
not walled in: what we then renamed, linked or removed by its path would be somebody else's. So the folders are
remembered before the engine starts, and each is looked at again before anything of ours touches it afterwards.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

NAMES = ("", "outputs", "logs", "logs/steps", "tmp", "engine", "engine/work")
"""The folders that we come back to; not every engine has all of them. The empty name is the run's folder itself."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class OwnFolders:
    """The folders of one run, held open from before its engine starts, so that no other can have their numbers.

    Raises:
        OSError: one can't be opened, or is a link already.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptors: dict[str, int] = {}
        for name in NAMES:
            with suppress(FileNotFoundError):
                self._descriptors[name] = os.open(folder / name, _FOLDER)

    def close(self) -> None:
        """Let go of them."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def descriptor(self, name: str) -> int:
        """An open folder, wherever it may be by now."""
        return self._descriptors[name]

    def displaced(self, names: Iterable[str] = NAMES) -> str | None:
        """The first of them that is no longer where it was; without ``names`` any."""
        return next((name for name in names if not self._stands(name)), None)

    def stands(self, name: str) -> bool:
        """Whether a folder, and all that it lies in, is the very one that it was."""
        return name in self._descriptors and self.displaced(_with_parents(name)) is None

    def _stands(self, name: str) -> bool:
        if name not in self._descriptors:
            return True
        held = os.fstat(self._descriptors[name])
        try:
            found = os.lstat(self.folder / name)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def link(self, source: Path, name: str, *, within: str, to: str) -> bool:
        """Give a regular file that lies below the folder ``within`` another name in the folder ``to``.

        No link is followed, and an empty file is not worth it; whether it was done.
        """
        try:
            parts = source.relative_to(self.folder / within).parts
        except ValueError:
            return False
        if not parts or ".." in parts or within not in self._descriptors or to not in self._descriptors:
            return False
        try:
            parent = open_below(self._descriptors[within], parts[:-1])
        except OSError:
            return False
        try:
            status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or not status.st_size:
                return False
            os.link(parts[-1], name, src_dir_fd=parent, dst_dir_fd=self._descriptors[to], follow_symlinks=False)
        except OSError:
            return False
        finally:
            os.close(parent)
        return True

    def files(self, name: str) -> list[str]:
        """The regular files below a folder, in order, relative to the run's folder. Links there are removed.

        We make none: a tool left it, and who reads logs would read what it leads to.
        """
        found: list[str] = []
        for folder, folders, files, descriptor in os.fwalk(".", dir_fd=self._descriptors[name]):
            for one in (*folders, *files):
                kind = os.stat(one, dir_fd=descriptor, follow_symlinks=False).st_mode
                if stat.S_ISLNK(kind):
                    os.unlink(one, dir_fd=descriptor)
                elif stat.S_ISREG(kind):
                    found.append(os.path.normpath(f"{name}/{folder}/{one}"))
        return sorted(found)


def numbers(folder: Path) -> dict[str, int]:
    """The inode of each of a run's own folders, for its journal: what ``still_own`` compares with."""
    found = {}
    for name in NAMES:
        with suppress(FileNotFoundError):
            found[name] = os.lstat(folder / name).st_ino
    return found


def still_own(folder: Path, name: str, known: Mapping[str, object]) -> bool:
    """Whether a folder of a run that nobody remembers is the one that its journal knows.

    Of a journal that knows none (``known`` is empty) only what is no folder at all is refused. A device has another
    number after a restart, so it is only compared with that of the run's folder.
    """
    try:
        base = os.lstat(folder)
        found = [(one, os.lstat(folder / one)) for one in _with_parents(name)]
    except OSError:
        return False
    return all(
        stat.S_ISDIR(status.st_mode)
        and (not known or (known.get(one) == status.st_ino and status.st_dev == base.st_dev))
        for one, status in found
    )


def words(name: str) -> str:
    """The sentence for a folder that was put away."""
    where = f"the run's folder {name!r}" if name else "the run's own folder"
    return f"a task put something else in place of {where}"


def touch(path: Path) -> None:
    """Make an empty file if there is nothing of that name; a link is left as it is."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise


def _with_parents(name: str) -> tuple[str, ...]:
    parts = name.split("/") if name else []
    return ("", *("/".join(parts[: count + 1]) for count in range(len(parts))))


def open_below(descriptor: int, parts: Sequence[str]) -> int:
    """A folder below an open one, by no link; its descriptor is the caller's to close."""
    current = os.dup(descriptor)
    for part in parts:
        try:
            below = os.open(part, _FOLDER, dir_fd=current)
        finally:
            os.close(current)
        current = below
    return current
