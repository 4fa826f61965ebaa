"""Removing: files, links and folders, whatever their modes are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from staging.errors import from_os_error


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
