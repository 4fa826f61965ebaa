"""Removing: files, links and folders, whatever their modes are."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from staging.errors import from_os_error

# Each level of folders takes a descriptor.
_DEEPEST = 500


def remove_path(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing happens when it isn't there."""
    try:
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"delete {path}") from error


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, also where a tool made it unwritable.

    Raises:
        OSError: something in it can't be removed.
    """

    def make_writable(_function: object, path: str, error: tuple[type, BaseException, object]) -> None:
        if not isinstance(error[1], PermissionError):
            raise error[1]
        target = Path(path)
        target.parent.chmod(0o700)
        if target.is_dir() and not target.is_symlink():
            target.chmod(0o700)
            shutil.rmtree(target, onerror=make_writable)
        else:
            target.unlink(missing_ok=True)

    shutil.rmtree(folder, onerror=make_writable)


def open_folder(path: Path | str, *, within: int | None = None) -> int:
    """A descriptor of a folder, never of what a link in its place leads to; a name in the folder ``within``.

    Raises:
        OSError: it is not there, or no folder.
    """
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)


def empty_folder(descriptor: int, *, depth: int = 0) -> None:
    """Remove all that is in the folder with this descriptor, itself not. No link is followed, whoever puts one there.

    Raises:
        OSError: something in it can't be removed.
    """
    if depth > _DEEPEST:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(descriptor, stat.S_IRWXU)
    for name in os.listdir(descriptor):
        if not stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=descriptor)
            continue
        _open_up(name, descriptor)
        child = open_folder(name, within=descriptor)
        try:
            empty_folder(child, depth=depth + 1)
        finally:
            os.close(child)
        os.rmdir(name, dir_fd=descriptor)


def _open_up(name: str, within: int) -> None:
    """Let a folder of ours be read that a tool made unreadable."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)
    try:
        status = os.fstat(found)
        if status.st_uid == os.geteuid() and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            # fchmod(2) takes no such descriptor; this is the folder itself, whatever has its name now.
            Path(f"/proc/self/fd/{found}").chmod(stat.S_IRWXU)
    finally:
        os.close(found)


def files_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every regular file below a folder, with its ``lstat``."""
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as children:
            for child in children:
                if child.is_dir(follow_symlinks=False):
                    pending.append(Path(child.path))
                elif child.is_file(follow_symlinks=False):
                    yield Path(child.path), child.stat(follow_symlinks=False)
