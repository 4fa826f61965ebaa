"""Whose the folders are that an encrypted working directory lies in: nobody else may exchange what is in them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final

from staging.errors import PolicyError, from_os_error
from wfexs_like.vault.locking import FOLDER

_ROOT: Final = 0


def check_owners(root: Path) -> None:
    """Make sure that a working directory and its vault are this user's, and the folder around it no other user's.

    That folder may be root's, like ``/tmp``. What is missing is nobody's.

    Raises:
        PolicyError: another user's, who could exchange it while it is open; names the folder.
    """
    check_place(root.parent)
    for folder in (root, root / FOLDER):
        _check(folder, (os.geteuid(),))


def check_place(folder: Path) -> None:
    """Make sure that a folder for working directories is this user's, or root's.

    Raises:
        PolicyError: it is another user's.
    """
    _check(folder, (os.geteuid(), _ROOT))


def _check(folder: Path, allowed: tuple[int, ...]) -> None:
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"look at {folder}") from error
    if owner not in allowed:
        raise PolicyError(
            f"{folder} belongs to another user ({_name(owner)}), who could exchange what is encrypted in it",
            hint=f"keep encrypted working directories in a folder of your own (WFEXS_LIKE_WORKDIRS), or become its "
            f"owner: chown -R {os.geteuid()} {folder}",
            where=str(folder),
        )


def _name(owner: int) -> str:
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)
