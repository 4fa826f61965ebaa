"""The process that serves a mount, looked at from aside, and whether there is one."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from staging.errors import LockedError, from_os_error
from wfexs_like.vault.locking import looks
from wfexs_like.vault.mounts import mount_at, real_point

_PATIENCE: Final = 3.0
_PAUSE: Final = 0.01


class Server:
    """A process by its number, told from any other that gets that number after it; 0 is none."""

    def __init__(self, number: int) -> None:
        self.number = number
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

    def is_stopped(self) -> bool:
        """Whether somebody stopped it (SIGSTOP): who asks it for anything waits until it goes on."""
        return is_stopped(self.number) and not self.is_dead()

    def end(self) -> None:
        """End it at once: who asked it for something is told that it is gone. It is waited for, for some seconds."""
        if self.descriptor < 0:
            return
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.poll(_PATIENCE * 1000)

    def close(self) -> None:
        """Look no more."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def is_stopped(number: int) -> bool:
    """Whether the process of that number is stopped."""
    try:
        status = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # proc(5): after the name, which is in brackets and may be anything.
    return status.rpartition(")")[2].split()[0] in ("T", "t")


def is_served(point: Path, server: Server) -> bool:
    """Whether what is mounted there is served, by ``server``; ``False``: by nobody any more.

    Raises:
        LockedError: by somebody else, or by one that is stopped or doesn't answer.
    """
    for _ in looks(_PATIENCE, _PAUSE):
        if not server.is_stopped():
            break
    else:
        raise _silent(point, f"process {server.number}, which serves it, is stopped", server.number)
    for _ in looks(_PATIENCE, _PAUSE):
        if not answers(point):
            return False
        # For a moment the kernel still answers for a server that is dead.
        if not server.is_dead():
            return True
    raise LockedError(
        "the encrypted area is open, and served by a process that is not known here",
        hint=f"whoever mounted it has to unmount it: fusermount3 -u {point}",
        where=str(point),
    )


def end_orphan(number: int, source: str, point: Path) -> None:
    """End the process, if it is one of this mount namespace that is to serve, there, what is called ``source``.

    For where there is no guard and nothing is mounted: its guard was killed, and it would mount it some time.
    """
    server = Server(serves(number, source, point))
    try:
        if _namespace(server.number) == _namespace(os.getpid()):
            server.end()
    finally:
        server.close()


def _namespace(number: int) -> str | None:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{number}/ns/mnt")  # noqa: PTH115 - a name, not a path
    return None


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
        LockedError: it is another user's, or doesn't answer.
    """
    check_ours(point)
    told: SimpleQueue[OSError | None] = SimpleQueue()

    def ask() -> None:
        try:
            # What the kernel remembers of the folder says nothing of the server; this asks it.
            point.stat()
            os.statvfs(point)
        except OSError as error:
            told.put(error)
        else:
            told.put(None)

    # Who asks a server that is stopped waits for it, and can't be told to leave off.
    threading.Thread(target=ask, daemon=True).start()
    try:
        error = told.get(timeout=_PATIENCE)
    except Empty:
        raise _silent(point, "what serves it does not answer") from None
    if isinstance(error, PermissionError):
        raise _another(point) from error
    if error is not None:
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
    mounted = mount_at(point)
    if mounted is not None and mounted.owner not in (None, os.geteuid()):
        raise _another(point)


def _silent(point: Path, what: str, number: int | None = None) -> LockedError:
    wake = "" if number is None else f'"kill -CONT {number}" lets it go on; '
    return LockedError(
        f"the encrypted area is open, and {what}",
        hint=f'{wake}"wfexs-like unmount --force" ends it, and what its users do there fails',
        where=str(point.parent),
    )


def _another(point: Path) -> LockedError:
    return LockedError(
        "another user has the encrypted area open", hint="wait until they have closed it", where=str(point)
    )
