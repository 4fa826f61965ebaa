"""The process that serves a mount, looked at from aside, and whether there is one."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time
from pathlib import Path
from typing import Final

from staging.errors import LockedError, from_os_error
from wfexs_like.vault.mounts import real_point

_PATIENCE: Final = 3.0
_PAUSE: Final = 0.01


class Server:
    """A process by its number, told from any other that gets that number after it; 0 is none."""

    def __init__(self, number: int) -> None:
        self.descriptor = -1
        with contextlib.suppress(OSError):
            self.descriptor = os.pidfd_open(number) if number > 0 else -1

    def is_dead(self) -> bool:
        """Whether it has ended, reaped or not."""
        if self.descriptor < 0:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Look no more."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def is_served(point: Path, server: Server) -> bool:
    """Whether what is mounted there is served, by ``server``; ``False``: by nobody any more.

    Raises:
        LockedError: by somebody else.
    """
    until = time.monotonic() + _PATIENCE
    while answers(point):
        if not server.is_dead():
            return True
        # For a moment the kernel still answers for a server that is dead.
        if time.monotonic() > until:
            raise LockedError(
                "the encrypted area is open, and served by a process that is not known here",
                hint=f"whoever mounted it has to unmount it: fusermount3 -u {point}",
                where=str(point),
            )
        time.sleep(_PAUSE)
    return False


def serves(number: int, source: str, point: Path) -> int:
    """The number again, if that process says that it serves what is called ``source`` there; else 0, which is none.

    It comes from a file that others may have written, or that came with the copy of another working directory, and the
    process may be ended.
    """
    with contextlib.suppress(OSError):
        said = [os.fsdecode(one) for one in Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")]
        places = [real_point(Path(one)) for one in said if one.startswith("/")]
        if source in said and real_point(point) in places:
            return number
    return 0


def answers(point: Path) -> bool:
    """Whether there is a server; only where the kernel says that the mount is not connected there is none.

    Raises:
        LockedError: it is another user's.
    """
    try:
        # What the kernel remembers of the folder says nothing of the server; this asks it.
        point.stat()
        os.statvfs(point)
    except PermissionError as error:
        raise _another(point) from error
    except OSError as error:
        if error.errno == errno.ENOTCONN:
            return False
        if error.errno == errno.ECONNABORTED:
            return True
        raise from_os_error(error, f"look at {point}") from error
    return True


def check_ours(point: Path) -> None:
    """Make sure that a mount, served or not, is none of another user.

    Raises:
        LockedError: it is.
    """
    try:
        point.stat()
    except PermissionError as error:
        raise _another(point) from error
    except OSError:
        return


def _another(point: Path) -> LockedError:
    return LockedError(
        "another user has the encrypted area open", hint="wait until they have closed it", where=str(point)
    )
