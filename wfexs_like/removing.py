"""Removing a working directory with all its runs; by force, those that go on are stopped first."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from staging.areas import PLAIN
from staging.errors import KeyAccessError, LockedError, PolicyError, VaultError
from staging.workdir import StagedWorkdir
from staging.workdirs import Workdirs
from wfexs_like.encryption import Encryption, is_open, refuse_others

_LETTING_GO: Final = 10.0
_PAUSE: Final = 0.05


def remove_workdir(
    found: StagedWorkdir,
    workdirs: Workdirs,
    *,
    encryption: Encryption,
    stop: Callable[[StagedWorkdir], object],
    sweep: Callable[[StagedWorkdir], None],
    force: bool,
) -> Path:
    """Remove it; where it was.

    ``stop`` stops all its runs, ``sweep`` removes what those that were killed left in container runtimes.

    Raises:
        LockedError: it is in use, with ``force`` by others than its own runs.
    """
    if found.vault == PLAIN:
        (stop if force else sweep)(found)
    elif force and is_open(found):
        # Waiting for them would be in vain.
        refuse_others(found)
        # Nothing runs in one that is closed, or can't be opened; nobody need be able to open it.
        with suppress(KeyAccessError, LockedError, PolicyError, VaultError):
            stop(found)
        with suppress(LockedError):
            encryption.close(found, force=True)
    # Whoever ran what was just stopped still has to let go of the working directory.
    deadline = time.monotonic() + (_LETTING_GO if force else 0)
    while True:
        try:
            workdirs.remove(found)
        except LockedError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return found.root
