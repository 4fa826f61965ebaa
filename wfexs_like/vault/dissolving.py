"""The end of an encrypted area: its key is destroyed, and what is left opens for nobody."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from staging.errors import LockedError, from_os_error
from wfexs_like.vault.lifetime import (
    DATA,
    FOLDER,
    KEY,
    POINT,
    USERS,
    attempt,
    is_open,
    lock_file,
    stranger,
    unmount,
)
from wfexs_like.vault.mounts import mount_at, unprotect
from wfexs_like.vault.server import check_ours

_PATIENCE: Final = 3.0
_PAUSE: Final = 0.003
_WAIT: Final = "wait for its users to end, or unmount it (wfexs-like unmount)"


def dissolve(root: Path) -> None:
    """Make the area unreadable for good and its mount point removable; for a folder that is about to be removed.

    The password goes first: what an interrupt leaves opens for nobody.

    Raises:
        LockedError: somebody uses it.
        VaultError: something else is mounted there.
    """
    if mount_at(root / POINT) is not None and not is_open(root):
        raise stranger(root / POINT)
    if is_open(root):
        check_ours(root / POINT)
    if (root / FOLDER).is_dir():
        users = lock_file(root, USERS)
        try:
            _take_alone(users, root)
            for name in (KEY, f"{DATA}/gocryptfs.conf"):
                _destroy(root / FOLDER / name)
            if is_open(root):
                unmount(root / POINT)
        finally:
            os.close(users)
    if (root / POINT).is_dir():
        unprotect(root / POINT)


def _take_alone(users: int, root: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not attempt(users, fcntl.LOCK_EX):
        if time.monotonic() > until:
            raise LockedError(
                "the encrypted area is in use",
                hint=_WAIT,
                where=str(root),
            )
        time.sleep(_PAUSE)


def _destroy(path: Path) -> None:
    # On a disk that writes elsewhere (SSD, copy on write) old blocks may live on; without the key they say nothing.
    try:
        path.chmod(0o600)
        with path.open("r+b", buffering=0) as stream:
            stream.write(os.urandom(path.stat().st_size))
            os.fsync(stream.fileno())
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"destroy {path.name}") from error
