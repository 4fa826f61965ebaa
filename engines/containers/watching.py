"""Watching: wait for whichever comes first of a command's end, a word of its caller, and the end of the run."""

from __future__ import annotations

import os
import select
import socket
import time
from contextlib import suppress
from typing import NamedTuple

from engines.child.container_shim import PASSED_ON
from staging.process import Child

PATIENCE = 10.0
"""Seconds that a container has to end by itself when it was told to."""

_POLL = 0.05


class Found(NamedTuple):
    """What came: ``gone`` is the caller, ``over`` the run; ``overdue``: it was told to end long ago and has not.

    ``ended``: what was to be watched as well (``Watch.also``) has, and is not any more.
    """

    signals: tuple[int, ...] = ()
    gone: bool = False
    over: bool = False
    overdue: bool = False
    ended: bool = False


class Watch:
    """Watches one command, until ``close``. ``over`` is a descriptor that becomes readable when the run is over."""

    def __init__(self, child: Child, connection: socket.socket, over: int) -> None:
        self._connection = connection
        self._over = over
        self._deadline: float | None = None
        self._poller = select.poll()
        self._poller.register(connection, select.POLLIN)
        self._poller.register(over, select.POLLIN)
        self._process: int | None = None
        self._other: int | None = None
        with suppress(OSError):
            self._process = os.pidfd_open(child.pid)
            self._poller.register(self._process, select.POLLIN)

    def also(self, other: int) -> None:
        """Watch another process, by its descriptor, which stays the caller's."""
        self._other = other
        self._poller.register(other, select.POLLIN)

    def wait(self, timeout: float | None) -> Found:
        """Wait until something comes, or ``timeout`` seconds."""
        if self._deadline is not None:
            left = max(0.0, self._deadline - time.monotonic())
            timeout = left if timeout is None else min(left, timeout)
        if self._process is None:
            timeout = _POLL if timeout is None else min(_POLL, timeout)
        ready = [number for number, _ in self._poller.poll(None if timeout is None else timeout * 1000)]
        found = self._found(ready)
        if self._other is None or self._other not in ready:
            return found
        self._poller.unregister(self._other)
        self._other = None
        return found._replace(ended=True)

    def _found(self, ready: list[int]) -> Found:
        if self._over in ready:
            return Found(over=True)
        if self._connection.fileno() in ready:
            self._connection.settimeout(0.0)
            try:
                said = self._connection.recv(64)
            except OSError:
                said = b""
            if not said:
                return Found(gone=True)
            self._deadline = self._deadline or time.monotonic() + PATIENCE
            # One that a command can't catch would end it and leave its container.
            return Found(signals=tuple(one for one in said if one in PASSED_ON))
        return Found(overdue=self._deadline is not None and time.monotonic() >= self._deadline)

    def close(self) -> None:
        """Let go of it."""
        if self._process is not None:
            os.close(self._process)
