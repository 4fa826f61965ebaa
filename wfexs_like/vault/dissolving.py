"""The end of an encrypted area: its key is destroyed, and what is left opens for nobody."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from staging.errors import LockedError, from_os_error
from staging.removing import open_folder
from wfexs_like.vault.guarding import unmount
from wfexs_like.vault.lifetime import DATA, KEY, POINT, is_open, stranger
from wfexs_like.vault.locking import FOLDER, USERS, attempt, lock_file, looks
from wfexs_like.vault.mounts import mount_at, unprotect
from wfexs_like.vault.server import check_ours

_PATIENCE: Final = 3.0
# Neither file is longer; somebody may say that it is.
_LONGEST: Final = 1 << 20
_WAIT: Final = "wait for its users to end, or unmount it (wfexs-like unmount)"


def dissolve(root: Path) -> None:
    """Make the area unreadable for good and its mount point removable; for a folder that is about to be removed.

    The password goes first: what an interrupt leaves opens for nobody. No link is followed, and nothing is done in
    folders of other users.

    Raises:
        LockedError: somebody uses it.
        VaultError: something else is mounted there.
    """
    _check_mount(root)
    with _own_folder(root) as own:
        if own is None:
            return
        with _alone(root, own):
            for *folders, name in ((FOLDER, KEY), (FOLDER, DATA, "gocryptfs.conf")):
                _destroy(own, folders, name)
    point = root / POINT
    if point.is_dir() and not point.is_symlink():
        unprotect(point)


@contextlib.contextmanager
def closed(root: Path) -> Iterator[None]:
    """While it lasts nobody uses the area, and it is not mounted; nothing is done to what is in it.

    Raises:
        LockedError: somebody uses it.
        VaultError: something else is mounted there.
    """
    _check_mount(root)
    with _own_folder(root) as own, contextlib.nullcontext() if own is None else _alone(root, own):
        yield


def _check_mount(root: Path) -> None:
    if root.is_symlink():
        return
    if is_open(root):
        check_ours(root / POINT)
    elif mount_at(root / POINT) is not None:
        raise stranger(root / POINT)


@contextlib.contextmanager
def _alone(root: Path, own: int) -> Iterator[None]:
    with _own_folder(FOLDER, own) as vault:
        if vault is None:
            yield
            return
        users = lock_file(root, USERS)
        try:
            _take_alone(users, root)
            if is_open(root):
                unmount(root / POINT)
            yield
        finally:
            os.close(users)


@contextlib.contextmanager
def _own_folder(path: Path | str, within: int | None = None) -> Iterator[int | None]:
    """Its descriptor; ``None`` where it is no folder (a link leads to another one's), or another user's."""
    try:
        descriptor = open_folder(path, within=within)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise from_os_error(error, f"open {path}") from error
        yield None
        return
    try:
        yield descriptor if os.fstat(descriptor).st_uid == os.geteuid() else None
    finally:
        os.close(descriptor)


def _take_alone(users: int, root: Path) -> None:
    for _ in looks(_PATIENCE):
        if attempt(users, fcntl.LOCK_EX):
            return
    raise LockedError("the encrypted area is in use", hint=_WAIT, where=str(root))


def _destroy(root: int, folders: Sequence[str], name: str) -> None:
    """Overwrite and remove a file of ours that has one name only; of anything else only the name is removed."""
    with contextlib.ExitStack() as stack:
        folder = root
        for one in folders:
            found = stack.enter_context(_own_folder(one, folder))
            if found is None:
                return
            folder = found
        try:
            # Of whatever it is, and without a right to it. The folder below /proc leads to this very file.
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            stack.callback(os.close, file)
            status = os.fstat(file)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid():
                _overwrite(Path(f"/proc/self/fd/{file}"), min(status.st_size, _LONGEST))
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise from_os_error(error, f"destroy {name}") from error


def _overwrite(path: Path, size: int) -> None:
    # On a disk that writes elsewhere (SSD, copy on write) old blocks may live on; without the key they say nothing.
    path.chmod(0o600)
    with path.open("r+b", buffering=0) as stream:
        stream.write(os.urandom(size))
        os.fsync(stream.fileno())
