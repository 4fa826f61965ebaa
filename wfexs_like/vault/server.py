"""The process that serves a mount, looked at from aside."""

from __future__ import annotations

import contextlib
import os
import select


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
