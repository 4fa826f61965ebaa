"""Stopping a run from another process, and tidying up after one that was killed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from engines.journal import JOURNAL, events, is_live
from engines.own_folders import still_own, touch
from engines.processes import PATIENCE, boot_id, children_of, is_alive, sweep
from staging.errors import WfexsError

CANCEL: Final = "cancel"
"""The file in a run's folder that says that the run is to be stopped."""

DOOR: Final = "door"
"""The folder in a run's folder by which its engine reaches a container runtime; it is there while the run lasts."""


def stop(folder: Path, *, patience: float = PATIENCE) -> bool:
    """Stop the run in ``folder`` (``runs/<n>``) from another process; whether there was one to stop.

    The child is ended, and with it all that it started; the process that owns the run writes the end of its record.
    When that one is gone too, what is left is ended and the record stays as it broke off.

    Raises:
        WfexsError: the run belongs to another machine, or does not end.
    """
    journal = folder / JOURNAL
    try:
        live = is_live(journal)
        lines = list(events(journal))
    except FileNotFoundError:
        return False
    first = next((one for one in lines if one["event"] == "run-started"), {})
    if any(one["event"] == "run-ended" for one in lines):
        return False
    if first.get("owner", {}).get("boot") not in (boot_id(), None):
        raise WfexsError(
            f"run {folder.name} belongs to another machine, or to a time before this one was started again",
            hint="stop it where it runs",
            where=str(folder),
        )
    touch(folder / CANCEL)
    deadline = time.monotonic() + patience
    stopped = live
    while True:
        stopped = _end_started(journal, str(first.get("uuid", ""))) or stopped
        if not is_live(journal):
            return stopped
        if time.monotonic() >= deadline:
            raise WfexsError(f"run {folder.name} was told to stop and has not", where=str(folder))
        time.sleep(0.02)


def _end_started(journal: Path, mark: str) -> bool:
    """End the child that a journal names, if it lives."""
    starts = [one for one in events(journal) if one["event"] == "engine-started"]
    who = starts[-1].get("child", {}) if starts else {}
    if not is_alive(who):
        return False
    inner = children_of(who["pid"]) if starts[-1].get("processes") == "namespace" else ()
    # The first process of a PID namespace takes all others with it, and ``unshare``, which waits for it, ends then.
    for pid in inner or (who["pid"],):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    if not inner:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(who["pid"], signal.SIGKILL)
        sweep(mark)
    return True


def tidy(folder: Path) -> None:
    """Remove the scratch space of a run that nobody works on, and its door (after ``kill -9`` they are left)."""
    journal = folder / JOURNAL
    if journal.exists() and is_live(journal):
        return
    if still_own(folder, "tmp", folders_of(journal)):
        clear(folder / "tmp")
    if (door := folder / DOOR).is_dir() and not door.is_symlink():
        clear(door)
        door.rmdir()


def folders_of(journal: Path) -> Mapping[str, object]:
    """The inodes of a run's own folders as its journal knows them; none when there is no such journal."""
    if not journal.exists():
        return {}
    first = next((one for one in events(journal) if one["event"] == "run-started"), {})
    known = first.get("folders")
    return known if isinstance(known, dict) else {}


def clear(folder: Path) -> None:
    """Empty a folder, also of what a tool made unreadable; links are removed, not followed."""

    def allow(function: Callable[..., object], path: str, _error: object) -> None:
        parent = os.path.dirname(path)  # noqa: PTH120 - text of any encoding
        for one in (parent, path):
            if not os.path.islink(one):  # noqa: PTH114
                with suppress(OSError):
                    os.chmod(one, 0o700)  # noqa: PTH101
        if function in (os.open, os.scandir, os.lstat):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                function(path)

    if not folder.is_dir() or folder.is_symlink():
        return
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, onerror=allow)
        else:
            Path(entry.path).unlink(missing_ok=True)
