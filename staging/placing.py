"""Placing: how a file's bytes get a second name or a second life (link, clone, copy), and how they get on the disk."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from staging.errors import from_os_error
from staging.fingerprints import CHUNK

# _IOW(0x94, 9, int) of linux/fs.h
_FICLONE = 0x40049409
_CANNOT_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM)
# EMLINK: too many links; EPERM: fs.protected_hardlinks, or a file system without links.
_CANNOT_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_MANY = 64


def clone(source: Path, target: Path, mode: int) -> bool:
    """Make ``target`` a copy-on-write copy; ``False`` (and nothing made) where the file system can't."""
    with open_regular(source) as origin:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(descriptor, _FICLONE, origin)
            os.fchmod(descriptor, mode)
        except OSError as error:
            target.unlink()
            if error.errno in _CANNOT_CLONE:
                return False
            raise
        finally:
            os.close(descriptor)
    return True


def link(source: Path, target: Path) -> bool:
    """Make ``target`` a hard link; ``False`` where that can't be."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _CANNOT_LINK:
            return False
        raise
    return True


def copy(source: Path, target: Path, mode: int) -> str:
    """Copy the bytes, to disk, and return their sha256; a failure leaves no ``target``."""
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with open_regular(source) as origin:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as copied:
                while count := os.readv(origin, [buffer]):
                    digest.update(view[:count])
                    copied.write(view[:count])
                os.fchmod(copied.fileno(), mode)
                os.fsync(copied.fileno())
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                target.unlink()
            raise
    return digest.hexdigest()


@contextlib.contextmanager
def open_regular(path: Path):  # type: ignore[no-untyped-def]
    """A descriptor for reading a regular file: never follows a link, never waits for a FIFO's other end.

    Raises:
        OSError: it can't be opened, or is something else (``ELOOP`` and ``EINVAL``).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Give ``path`` that content, whole or not at all, also when the power fails.

    Raises:
        DiskError: the disk is full. WfexsError: it can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)  # noqa: PTH105 - the same call without making a Path
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        sync(path.parent)
    except OSError as error:
        raise from_os_error(error, f"write {path}") from error


def sync(path: Path) -> None:
    """Have a file or a folder on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_many(paths: Iterable[Path]) -> None:
    """Have many files and folders on the disk: eight at a time, so that the file system can write them together."""
    known = list(paths)
    if len(known) <= 1:
        for path in known:
            sync(path)
        return
    with ThreadPoolExecutor(8, thread_name_prefix="sync") as pool:
        for _ in pool.map(sync, known):
            pass


def sync_tree(root: Path) -> None:
    """Have a folder on the disk, with all folders and all files in it that are no hard links to something older.

    When they are many, the whole file system is flushed once instead (``syncfs(2)``): that is faster than a flush each.
    """
    pending, wanted = [root], [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                    wanted.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink == 1:
                    wanted.append(Path(entry.path))
    if len(wanted) > _MANY and _syncfs(root):
        return
    sync_many(wanted)


def _syncfs(path: Path) -> bool:
    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if call(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)
    return True
