"""Whose the folders are that an encrypted working directory lies in: nobody else may exchange what is in them.

Who may write to a folder may rename what is in it, whoever owns that; but for the sticky bit (inode(7)). Where there is
an access control list, the bits of the group tell the most that anybody in it has (acl(5)).
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Final

from staging.errors import PolicyError, from_os_error
from wfexs_like.vault.locking import FOLDER

_ROOT: Final = 0
# What could be exchanged, and how to have it elsewhere.
_WORKDIRS: Final = (
    "what is encrypted in it",
    "keep encrypted working directories in a folder of your own (WFEXS_LIKE_WORKDIRS)",
)
_KEYS: Final = (
    "what is known of working directories there",
    "keep keys in a folder of your own (WFEXS_LIKE_KEYS)",
)


def check_owners(root: Path) -> None:
    """Make sure that a working directory and its vault are this user's, and the folders around it no other user's.

    Those may be root's, like ``/tmp``. Nobody else may write to them. What is missing is nobody's.

    Raises:
        PolicyError: another user could exchange it while it is open; names the folder.
    """
    check_place(root.parent)
    for folder in (root, root / FOLDER):
        _check(folder, (os.geteuid(),), _WORKDIRS)


def check_place(folder: Path) -> None:
    """Make sure that a folder for working directories is this user's, or root's, and that nobody else renames in it.

    The same holds for all folders above it.

    Raises:
        PolicyError: one is another user's, or another user may write to it.
    """
    _check(folder, (os.geteuid(), _ROOT), _WORKDIRS)
    _check_above(folder, _WORKDIRS)


def check_keys(folder: Path) -> None:
    """Make sure that nobody else exchanges or removes what is in the folder of keys, or that folder.

    Raises:
        PolicyError: it or one above it is another user's, or another user may write to it.
    """
    _check(folder, (os.geteuid(), _ROOT), _KEYS)
    _check_above(folder, _KEYS)


def _check_above(folder: Path, purpose: tuple[str, str]) -> None:
    """The folders above it, by the name that it is given and by the one without links, and those links."""
    given = folder.absolute()
    allowed: tuple[int, ...] = (os.geteuid(), _ROOT, *_unknown_owner())
    for above in dict.fromkeys((*given.parents, *given.resolve().parents)):
        # Where root works below somebody's folder, that somebody was chosen: by sudo, or whoever made a container.
        _check(above, allowed if os.geteuid() != _ROOT else None, purpose)
    for link in (given, *given.parents):
        if link.is_symlink() and os.geteuid() != _ROOT and link.lstat().st_uid not in allowed:
            raise _foreign(link, link.lstat().st_uid, purpose)


def _unknown_owner() -> tuple[int, ...]:
    """Whose the folders of root look in a user namespace that has no root of the machine (user_namespaces(7))."""
    try:
        inside, outside, length = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()[0].split()
        if (inside, outside, length) == ("0", "0", str(2**32 - 1)):
            return ()
        return (int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii")),)
    except (OSError, ValueError, IndexError):
        return ()


def _check(folder: Path, allowed: tuple[int, ...] | None, purpose: tuple[str, str]) -> None:
    try:
        status = folder.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"look at {folder}") from error
    if allowed is not None and status.st_uid not in allowed:
        raise _foreign(folder, status.st_uid, purpose)
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and not (_is_own_group(status.st_gid) and not _has_list(folder))
    if (others or group) and not status.st_mode & stat.S_ISVTX:
        what, remedy = purpose
        raise PolicyError(
            f"other users may write to {folder}, and could exchange {what}",
            hint=f"chmod go-w {folder} (or chmod +t, where others keep things of theirs there), or {remedy}",
            where=str(folder),
        )


def _foreign(path: Path, owner: int, purpose: tuple[str, str]) -> PolicyError:
    what, remedy = purpose
    return PolicyError(
        f"{path} belongs to another user ({_name(owner)}), who could exchange {what}",
        hint=f"{remedy}, or become its owner: chown {os.geteuid()} {path}",
        where=str(path),
    )


def _is_own_group(number: int) -> bool:
    """Whether it is this user's private group: of that name, their first one, and nobody else is in it."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return (user.pw_gid, user.pw_name) == (number, group.gr_name) and not {*group.gr_mem} - {user.pw_name}


def _has_list(folder: Path) -> bool:
    try:
        return bool(os.getxattr(folder, "system.posix_acl_access"))
    except OSError:
        return False


def _name(owner: int) -> str:
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)
