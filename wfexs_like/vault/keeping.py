"""Keeping an area open although nobody works in it, and closing it again: ``mount`` and ``unmount``."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from pathlib import Path
from typing import Final

from staging.errors import LockedError, VaultError
from staging.process import DEVNULL, base_environment, start
from wfexs_like.vault import keeper
from wfexs_like.vault.guarding import UNWRITTEN, unwritten
from wfexs_like.vault.lifetime import POINT, is_open, wait_closed
from wfexs_like.vault.locking import USERS, lock_file, server_number
from wfexs_like.vault.mounts import mount_at
from wfexs_like.vault.server import Server, serves
from wfexs_like.vault.users import holders, inside

_KEEPER: Final = ".keeper"
_PATIENCE: Final = 10.0
_SHOWN: Final = 3


def keep(root: Path) -> bool:
    """Have the area, which is open now, stay open; ``False`` when somebody sees to that already.

    Raises:
        VaultError: it can't be done. DiskError: the disk is full.
    """
    with contextlib.ExitStack() as stack:

        def owned(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        given = (owned(lock_file(root, _KEEPER)), owned(lock_file(root, USERS)))
        reading, answer = os.pipe2(os.O_CLOEXEC)
        owned(reading)
        numbers = map(str, (*given, answer, server_number(root)))
        argv = (sys.executable, "-I", "-S", "-B", keeper.__file__, *numbers)
        try:
            # Not below what it keeps open, nor with a name of it.
            child = start(argv, env=base_environment(), cwd=Path("/"), stdout=DEVNULL, pass_fds=(*given, answer))
        finally:
            os.close(answer)
        with child:
            said = os.read(reading, 64).decode().strip()
            child.wait(_PATIENCE)
    if said.startswith(UNWRITTEN):
        raise unwritten(said)
    if said not in ("keeping", "kept"):
        raise VaultError("the encrypted area can't be kept open", where=str(root))
    return said == "keeping"


def let_go(root: Path, *, force: bool = False) -> bool:
    """Close an area that is kept open; ``False`` when it was not open. With ``force`` also under those who work in it.

    Raises:
        LockedError: others use it; says who. It closes when they end, unless they only have files of it open.
        VaultError: it can't be closed.
    """
    if not is_open(root):
        return False
    if force:
        _end_stopped(root)
    kept = _keeper(root)
    others = tuple(one for one in holders(root) if one.number != kept)
    strangers = () if force or others else inside(root / POINT)
    if strangers:
        raise LockedError(
            f"there are files of the encrypted area open: {_named(strangers)}",
            hint="leave its folder and close its files, or close it under them with --force",
            where=str(root),
        )
    if kept is not None:
        _end(root, kept)
    if others:
        raise LockedError(
            f"the encrypted area is still used: {_named(others)}",
            hint="it is closed as soon as they have ended",
            where=str(root),
        )
    wait_closed(root)
    return True


def _end_stopped(root: Path) -> None:
    """End a server that somebody stopped: its users wait for it, and can't be ended while they do."""
    mounted = mount_at(root / POINT)
    number = serves(server_number(root), "" if mounted is None else mounted.source, root / POINT)
    server = Server(number)
    try:
        if server.is_stopped():
            server.end()
    finally:
        server.close()


def _named(processes: tuple[object, ...]) -> str:
    more = len(processes) - _SHOWN
    return ", ".join(map(str, processes[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _keeper(root: Path) -> int | None:
    """The number of the process that keeps it open: one that says so, has the keeper's lock, and is a keeper."""
    own = lock_file(root, _KEEPER)
    try:
        text = os.pread(own, 32, 0).strip()
    finally:
        os.close(own)
    numbers = {one.number for one in holders(root, _KEEPER)}
    number = int(text) if text.isdigit() else None
    return number if number in numbers and _is_keeper(number) else None


def _is_keeper(number: int | None) -> bool:
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(Path(os.fsdecode(one)).name == Path(keeper.__file__).name for one in words)


def _end(root: Path, number: int) -> None:
    try:
        process = os.pidfd_open(number)
    except ProcessLookupError:
        return
    try:
        # Another process may have got its number meanwhile.
        if _keeper(root) != number:
            return
        signal.pidfd_send_signal(process, signal.SIGTERM)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        if not poll.poll(_PATIENCE * 1000):
            raise VaultError(f"process {number} keeps the encrypted area open and does not end", where=str(root))
    except PermissionError as error:
        raise LockedError(f"another user keeps the encrypted area open: process {number}", where=str(root)) from error
    finally:
        os.close(process)
