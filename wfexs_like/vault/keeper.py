"""The keeper: a process that uses an area and does nothing with it, so that it stays open (``mount``).

Started as ``python -I -S keeper.py`` while the area is open. It ends when it is told to (SIGTERM), or when the process
that serves the mount has ended.

Arguments: the descriptor of the keeper's lock file, that of the users', that on which it answers, and the number of the
process that serves the mount.
"""

# It imports the least.
from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import sys


def main(arguments: list[str]) -> int:
    """Keep it open."""
    own, users, answer, server = map(int, arguments)
    if os.fork():
        # Nobody's child: whoever started it need not stay to see it end.
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    served = os.pidfd_open(server)
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(answer, b"kept\n")
        return 0
    fcntl.flock(users, fcntl.LOCK_SH)
    os.ftruncate(own, 0)
    os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
    os.write(answer, b"keeping\n")
    os.close(answer)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.chdir("/")
    poll = select.poll()
    poll.register(served, select.POLLIN)
    poll.poll()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
