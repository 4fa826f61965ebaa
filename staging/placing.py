"""Placing: how a file's bytes get a second name or a second life (link, clone, copy), and how they get on the disk."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from staging.errors import from_os_error
from staging.fingerprints import CHUNK

# _IOW(0x94, 9, int) of linux/fs.h
_FICLONE = 0x40049409
_CANNOT_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM)
# EMLINK: too many links; EPERM: fs.protected_hardlinks, or a file system without links.
_CANNOT_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_SYNC_FILE_RANGE_WRITE = 2
_TO_SYNC = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_AT_ONCE = 8


def clone(source: Path | str, target: Path | str, mode: int) -> bool:
    """Make ``target`` a copy-on-write copy; ``False`` (and nothing made) where the file system can't."""
    with open_regular(source) as origin:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(descriptor, _FICLONE, origin)
            os.fchmod(descriptor, mode)
        except OSError as error:
            os.unlink(target)  # noqa: PTH108
            if error.errno in _CANNOT_CLONE:
                return False
            raise
        finally:
            os.close(descriptor)
    return True


def link(source: Path | str, target: Path | str) -> bool:
    """Make ``target`` a hard link; ``False`` where that can't be."""
    size = os.lstat(source).st_size
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _CANNOT_LINK:
            return False
        raise
    now = os.lstat(target)
    if now.st_size != size:
        # gocryptfs 2.3 answers a link with the size of the cipher text, which the kernel believes for a second: appends
        # would leave a gap. Any change of attributes brings the true size back.
        os.chmod(target, stat.S_IMODE(now.st_mode))  # noqa: PTH101 - ``target`` may be text
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
def open_regular(path: Path | str) -> Iterator[int]:
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


def make_folders(folder: Path) -> None:
    """Make a folder and its parents, none of them writable for others, whatever the umask is."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(mode=0o755, exist_ok=True)


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
        sync_folder(path.parent)
    except OSError as error:
        raise from_os_error(error, f"write {path}") from error


def write_json(path: Path, value: object) -> None:
    """Write a JSON document whole or not at all, for people to read as well."""
    write_atomically(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def sync(path: Path | str) -> None:
    """Have a file or a folder on the disk itself."""
    descriptor = os.open(path, _TO_SYNC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Have a folder on the disk, with the names in it; its own may be that of a link."""
    sync(path.resolve())


def sync_many(paths: Iterable[Path | str]) -> None:
    """Have many files and folders on the disk.

    All of them are first told to start, then waited for, eight at a time: so the file system writes them together
    (a thousand small files in 0.1 s instead of 0.3 to 2.7 s one after the other, tried on ext4).
    """
    known = list(paths)
    if len(known) <= 1:
        for path in known:
            sync(path)
        return
    for path in known:
        _start_writing(path)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sync") as pool:
        for _ in pool.map(_sync_each, [known[start::_AT_ONCE] for start in range(_AT_ONCE)]):
            pass


def _sync_each(paths: Iterable[Path | str]) -> None:
    for path in paths:
        sync(path)


def _start_writing(path: Path | str) -> None:
    """Begin to write a file's bytes, without waiting. Only a hint: whether it worked shows when it is synced."""
    descriptor = os.open(path, _TO_SYNC)
    try:
        call = getattr(_library(), "sync_file_range", None)
        if call is not None:
            call(ctypes.c_int(descriptor), ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))
    finally:
        os.close(descriptor)


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def sync_tree(root: Path) -> None:
    """Have a folder on the disk, with all folders and all files in it that are no hard links to something older."""
    pending = [str(root)]
    wanted = [str(root)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    wanted.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink == 1:
                    wanted.append(entry.path)
    sync_many(wanted)


class Way:
    """How files get their further names in one folder: what did not work once is not tried again."""

    def __init__(self) -> None:
        self._clones = True
        self._links = True

    def take(self, source: str, target: str, mode: int) -> bool:
        """Clone or link; ``False``: it has to be copied."""
        if self._clones:
            self._clones = clone(source, target, mode)
            if self._clones:
                return True
        if self._links and link(source, target):
            return True
        # Too many links of one object are no reason to copy the others; another file system is.
        self._links = self._links and os.lstat(source).st_dev == os.lstat(os.path.dirname(target)).st_dev  # noqa: PTH120
        return False
