"""What is in an open area, looked at before it is believed: others who may open it may have put anything there."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from staging.errors import PolicyError, VaultError, from_os_error
from staging.removing import empty_folder, open_folder
from staging.workdir import OWN_STORE, SCRATCH

SENTINEL: Final = ".vault"
"""Says whose area it is."""
_FOLDERS: Final = (SCRATCH, OWN_STORE, ".home", "workflow", "inputs", "engine", "runs", "crates")
# What is right below these is ours as well: a link there leads out as much.
_FILLED: Final = (OWN_STORE, "runs", "crates")


def check_sentinel(point: Path, source: str) -> None:
    """Make sure that it is the area that is called ``source``.

    Raises:
        VaultError: it is none, or another one's.
    """
    try:
        descriptor = os.open(point / SENTINEL, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            said = stream.read(4096).decode(errors="replace").strip()
    except OSError as error:
        raise VaultError(
            "what was opened is not the encrypted area of a working directory: it does not say whose it is",
            where=str(point.parent),
        ) from error
    if said != source:
        raise VaultError(
            "what was opened is the encrypted area of another working directory",
            hint="folders were exchanged: bring back the vault folder that belongs here",
            where=str(point.parent),
        )


def check_folders(point: Path) -> None:
    """Make sure that the folders we write to are folders in the area, and no links that lead out of it.

    Raises:
        PolicyError: one is something else; names it.
    """
    for name in _FOLDERS:
        _check_folder(point / name)
    for name in _FILLED:
        try:
            links = sorted(one.path for one in os.scandir(point / name) if one.is_symlink())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise from_os_error(error, f"look at {point / name}") from error
        for one in links:
            raise _leads_out(Path(one))


def clear_scratch(point: Path) -> None:
    """Remove the temporary files of users that were killed. Links are not followed.

    Raises:
        PolicyError: the folder is none. DiskError: something can't be removed.
    """
    _check_folder(point / SCRATCH)
    try:
        descriptor = open_folder(point / SCRATCH)
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"open {point / SCRATCH}") from error
    try:
        empty_folder(descriptor)
    except OSError as error:
        raise from_os_error(error, f"empty {point / SCRATCH}") from error
    finally:
        os.close(descriptor)


def _check_folder(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"look at {path}") from error
    if not stat.S_ISDIR(mode):
        raise _leads_out(path)


def _leads_out(path: Path) -> PolicyError:
    what = f"a link to {path.readlink()}" if path.is_symlink() else "no folder"
    return PolicyError(
        f"{path.name} in the encrypted area is {what}: what belongs in there could be written or removed elsewhere",
        hint="somebody else who may open it may have put it there; don't use this working directory",
        where=str(path),
    )
