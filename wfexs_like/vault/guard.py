"""The guard of one mount: a process of its own that serves the mount and unmounts it when nobody uses it any more.

Started as ``python -I -S guard.py``, with nothing of ours imported, by whoever finds the area closed. Its users each
hold a shared ``flock(2)`` on the file of users, which the kernel lets go of however they end. The guard waits for that
lock alone: once it has it, there is no user left, and it unmounts. So a user that is killed leaves nothing open, and no
clock has a say in it.

A server that is stopped (SIGSTOP) would let everybody who asks it for something wait for ever, and nobody can end who
waits. So after some seconds of that it is ended, and they fail.

Arguments: the descriptor of the lock file of the guard, that of the users, that of the working directory's folder,
that on which it answers, the name of the mount point in that folder, the program that unmounts, the number of the
process that serves the mount already and has lost its guard, or 0, and in that case the command that serves it, in
which its own number takes the place of ``NOTIFIED``.
The password comes on standard input and is handed on to that command unread.
"""

# It imports the least, and starts one program.
# ruff: noqa: PTH115, PTH123, S606
from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import signal
import sys
import time

_TRIES = 50
_PAUSE = 0.02
_WAITING_FOR_OTHER = 5.0
_STOPPED_FOR = 8
_LOOK = 1.0
_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Serve until nobody uses it; the exit code is that of the command, or 0."""
    own, users, root, answer = map(int, arguments[:4])
    point, unmounter, server, command = arguments[4], arguments[5], int(arguments[6]), arguments[7:]
    for descriptor in (own, users, root, answer):
        os.set_inheritable(descriptor, False)
    if os.fork():
        # Nobody's child: whoever started it need not stay to see it end.
        os._exit(0)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    # One byte, not none: dumps go to programs in spite of a limit of none (wfexs_like.private_memory).
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    if not _take(own):
        _tell(answer, "elsewhere")
        return 1
    if command:
        try:
            # Of the length of any: the disk may be full, and has to take the number when the command is there.
            os.pwrite(own, f"{0:<9}\n".encode(), 0)
        except OSError as error:
            _tell(answer, f"unwritten {error.errno}")
            return 1
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGCHLD})
        server = _start([one.replace("NOTIFIED", str(os.getpid())) for one in command], own)
        code = _mounted(server, answer)
        if code is not None:
            _tell(answer, f"failed {code}")
            return code
    process = -1
    with contextlib.suppress(OSError):
        process = os.pidfd_open(server) if server else -1
    _tell(answer, "mounted")
    os.close(answer)
    if process >= 0:
        _watch(server, process)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    fcntl.flock(users, fcntl.LOCK_EX)
    _unmount(root, point, unmounter)
    if process >= 0:
        _end(process)
    return 0


def _take(own: int) -> bool:
    """Become the guard; ``False`` when another one stays, which serves a mount that can't be seen from here."""
    until = time.monotonic() + _WAITING_FOR_OTHER
    while True:
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(_PAUSE)
        else:
            return True


def _start(command: list[str], own: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            # Before it is what it is to be: whoever finds it without us knows it by that.
            os.pwrite(own, f"{os.getpid():<9}\n".encode(), 0)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1, signal.SIGCHLD})
            os.execv(command[0], command)
        finally:
            os._exit(127)
    return pid


def _tell(answer: int, words: str) -> None:
    # Whoever asked may have been killed: then nobody uses what was mounted, and it is unmounted like anything else.
    with contextlib.suppress(OSError):
        os.write(answer, f"{words}\n".encode())


def _mounted(server: int, answer: int) -> int | None:
    """``None`` once it is mounted, or the code with which the server ended: it is told to if nobody waits for it."""
    asking = select.poll()
    asking.register(answer, 0)  # the end of who reads is told unasked
    number = signal.SIGTERM
    while True:
        told = signal.sigtimedwait({signal.SIGUSR1, signal.SIGCHLD}, _LOOK)
        if told is None:
            if asking.poll(0):
                os.kill(server, number)
                # It may have inherited from us that it doesn't listen to the first.
                number = signal.SIGKILL
            continue
        if told.si_signo == signal.SIGUSR1:
            return None
        ended, status = os.waitpid(server, os.WNOHANG)
        if ended:
            return abs(os.waitstatus_to_exitcode(status))


def _watch(server: int, process: int) -> None:
    """End the server when it has been stopped for long. Looks are counted, not seconds: we may be stopped with it."""
    seen = 0

    def look(_number: int, _frame: object) -> None:
        nonlocal seen
        seen = seen + 1 if _is_stopped(server) else 0
        if seen > _STOPPED_FOR:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(process, signal.SIGKILL)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


def _is_stopped(number: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{number}/stat", "rb") as status:
        # proc(5): after the name, which is in brackets and may be anything.
        return status.read().rpartition(b")")[2].split()[:1] in ([b"T"], [b"t"])
    return False


def _unmount(root: int, point: str, program: str) -> None:
    """Unmount it; when that can't be done at once, out of sight first, and for good when the last file is closed."""
    # The folder may have been renamed meanwhile.
    path = f"{os.readlink(f'/proc/self/fd/{root}')}/{point}"
    for lazily in ((),) * _TRIES + (("-z",),):
        if not _is_mounted(path) or os.spawnv(os.P_WAIT, program, [program, "-u", "-q", *lazily, "--", path]) == 0:
            return
        time.sleep(_PAUSE)


def _is_mounted(path: str) -> bool:
    # proc(5): the fifth field, in which blanks and the like are octal.
    with open("/proc/self/mountinfo", "rb") as table:
        points = [line.split(b" ")[4] for line in table]
    return any(one.decode("unicode_escape").encode("latin-1") == os.fsencode(path) for one in points)


def _end(process: int) -> None:
    """Wait for the server, which ends by itself when it has nothing to serve; don't wait for ever."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    if not poll.poll(_TRIES * _PAUSE * 1000):
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(process, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
