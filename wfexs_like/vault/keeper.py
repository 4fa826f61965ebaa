"""The keeper: a process that uses an area and does nothing with it, so that it stays open (``mount``).

Started as ``python -I -S keeper.py`` while the area is open. It ends when it is told to (SIGTERM), or when the process
that serves the mount has ended.

Arguments: the descriptor of the keeper's lock file, that of the users', that on which it answers, and the number of the
process that serves the mount.
"""

# It imports the least.
from __future__ import annotations

import contextlib
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
    # One byte, not none: dumps go to programs in spite of a limit of none (wfexs_like.private_memory).
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    served = os.pidfd_open(server)
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(answer, b"kept\n")
        return 0
    fcntl.flock(users, fcntl.LOCK_SH)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    try:
        # Over what an earlier one left there: a disk that is full since has room for that.
        os.pwrite(own, f"{os.getpid():<9}\n".encode(), 0)
    except OSError as error:
        os.write(answer, f"unwritten {error.errno}\n".encode())
        return 1
    os.write(answer, b"keeping\n")
    os.close(answer)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.chdir("/")
    poll = select.poll()
    poll.register(served, select.POLLIN)
    try:
        poll.poll()
    finally:
        os.pwrite(own, f"{0:<9}\n".encode(), 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
