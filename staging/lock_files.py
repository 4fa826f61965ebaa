"""Lock files that people name: read as what may come from anybody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from staging.crowded import is_crowded
from staging.errors import NotFoundError, PolicyError, from_os_error
from staging.plan import Plan

LARGEST_LOCK: Final = 256 << 20
"""Bytes; a lock with a hundred thousand items has about 50 MB."""


def read_lock(path: Path) -> Plan:
    """Read a lock file.

    Raises:
        NotFoundError: there is none.
        DefinitionError: it is none, or damaged.
        PolicyError: it is larger than any lock, or has too many values.
        WfexsError: it can't be read.
    """
    try:
        with path.open("rb") as stream:
            large = os.fstat(stream.fileno()).st_size > LARGEST_LOCK
            text = b"" if large else stream.read(LARGEST_LOCK + 1)  # a pipe has no size
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError) as error:  # NUL is in no path
        raise NotFoundError(
            f"there is no lock file {path}", hint="a working directory has stage.lock.json", where=str(path)
        ) from error
    except OSError as error:
        raise from_os_error(error, f"read the lock file {path}") from error
    if large or len(text) > LARGEST_LOCK:
        raise PolicyError(f"{path} is larger than {LARGEST_LOCK >> 20} MiB", where=str(path))
    if is_crowded(text):
        raise PolicyError(f"{path} has too many values", where=str(path))
    return Plan.parse(text, file=str(path))
