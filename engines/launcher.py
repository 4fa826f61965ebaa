"""The launcher: one engine child, isolated as the host allows, heard while it lives, and wholly gone afterwards.

It knows no engine. The child says one JSON object a line on a pipe; its first word is ``ready``, the last ``ended``.
Each line begins with a token that the request told the child (``token``) and a space: what comes without it was written
by somebody else, and is not believed.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import IO, Any

from engines.isolation import Isolation, choices
from engines.processes import MARKER, PATIENCE, children_of, identity, sweep
from engines.stopping import CANCEL, stop
from staging.areas import servers_of
from staging.errors import EngineError, VaultError
from staging.process import Child, MissingToolError, base_environment, start

_LOOPBACK = "WFEXS_LIKE_LOOPBACK"
_DEVICE = "WFEXS_LIKE_DEVICE"
_LAST_WORDS_BYTES = 4096
_LONGEST_LINE = 1 << 28
_CATCH = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_DOCTOR = '"wfexs-like doctor" says what this host can do'

__all__ = ["Ending", "Errand", "Outcome", "Started", "run_errand", "stop"]


class Ending(StrEnum):
    """Why a child ended."""

    ENDED = "ended"
    DIED = "died"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a child ended. ``last`` is its ``ended`` event; ``signal`` the one *we* got, when that was the reason."""

    ending: Ending
    last: Mapping[str, Any] | None = None
    code: int | None = None
    signal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a child is started for.

    ``argv`` gets the numbers of two descriptors appended: the request (JSON, to be read from its start) and the pipe
    for events. ``request`` makes the request for the isolation that is tried. ``folder`` is the run's; ``log`` takes
    the child's stdout and stderr. ``time_limit`` is in seconds. ``mark`` is the run's uuid. ``watch`` is given a socket
    on which the child sends the device that its network namespace ends in (``engines.child.device``), and has it from
    then on. ``require_network``: isolations that leave the network open are not tried.
    """

    argv: tuple[str, ...]
    request: Callable[[Isolation], Mapping[str, object]]
    log: Path
    mark: str
    folder: Path | None = None
    cwd: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    isolate_network: bool = True
    require_network: bool = False
    watch: Callable[[socket.socket], None] | None = None
    time_limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A child that lives: its full argv, how it is isolated, and which process it is."""

    argv: tuple[str, ...]
    isolation: Isolation
    child: Mapping[str, object]


def run_errand(
    errand: Errand, *, started: Callable[[Started], None], heard: Callable[[dict[str, Any]], None]
) -> Outcome:
    """Start a child, hear it to its end, and leave nothing of it behind.

    Where the best isolation does not work, the next is tried. A signal to us (interrupt, terminate, hang-up) stops the
    child and is an outcome, not an exception.

    Raises:
        EngineError: no child could be started.
        VaultError: the encrypted area that it works in went away.
    """
    with _signals() as inbox:
        for isolation in choices(root=os.geteuid() == 0, network=errand.isolate_network):
            if errand.require_network and not isolation.network:
                continue
            # Opened before the child can put something else in its place.
            with errand.log.open("ab", buffering=0) as log:
                outcome = _try(errand, isolation, inbox, started, heard, log=log)
            if outcome is not None:
                return outcome
    words = last_words(errand.log)
    raise EngineError(
        "the engine could not be started" + (f": {words[-1]}" if words else ""),
        hint=_DOCTOR,
        where=str(errand.argv[0]),
    )


def _try(
    errand: Errand,
    isolation: Isolation,
    inbox: _Inbox,
    started: Callable[[Started], None],
    heard: Callable[[dict[str, Any]], None],
    *,
    log: IO[bytes],
) -> Outcome | None:
    """One way to isolate; ``None`` when the child never said a word because that way doesn't work here."""
    environment = base_environment(**errand.environment)
    if isolation.network:
        environment[_LOOPBACK] = "1"
    if not isolation.processes:
        environment[MARKER] = errand.mark
    watched = errand.watch is not None and isolation.network
    token = os.urandom(16).hex()
    request = os.memfd_create("request")
    reading, writing = os.pipe()
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET) if watched else (None, None)
    passed = (request, writing) if theirs is None else (request, writing, theirs.fileno())
    if theirs is not None:
        environment[_DEVICE] = str(theirs.fileno())
    try:
        with open(os.dup(request), "wb") as stream:  # noqa: PTH123 - a descriptor
            stream.write(json.dumps({**errand.request(isolation), "token": token}).encode())
        argv = (*isolation.prefix, *errand.argv, str(request), str(writing))
        child = start(argv, env=environment, cwd=errand.cwd, stdout=log, stderr=log, pass_fds=passed)
    except MissingToolError as error:
        os.close(reading)
        _close(ours)
        log.write(f"{error.message}\n".encode())
        return None
    except BaseException:
        os.close(reading)
        _close(ours)
        raise
    finally:
        os.close(request)
        os.close(writing)
        _close(theirs)
    with child:
        try:
            if errand.watch is not None and ours is not None:
                errand.watch(ours)
            started(Started(argv=argv, isolation=isolation, child=identity(child.pid)))
            return _listen(errand, child, _Voice(reading, token, log), inbox, heard)
        finally:
            os.close(reading)
            end_child(child, isolation, errand.mark)


def _close(one: socket.socket | None) -> None:
    if one is not None:
        one.close()


def _listen(
    errand: Errand, child: Child, voice: _Voice, inbox: _Inbox, heard: Callable[[dict[str, Any]], None]
) -> Outcome | None:
    deadline = None if errand.time_limit is None else time.monotonic() + errand.time_limit
    poller = select.poll()
    servers = servers_of(errand.log)
    for descriptor in (voice.reading, inbox.reading, *servers):
        poller.register(descriptor, select.POLLIN)
    ready, last = False, None
    while last is None:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        signalled = [descriptor for descriptor, _ in poller.poll(None if left is None else left * 1000 + 1)]
        if inbox.got is not None:
            return Outcome(ending=Ending.CANCELLED, signal=inbox.got)
        _check_servers(servers, signalled)
        if not signalled:
            if deadline is not None and time.monotonic() >= deadline:
                return Outcome(ending=Ending.TIMEOUT)
            continue
        said = voice.hear()
        if said is None:
            break
        for event in said:
            if event["event"] == "ready":
                ready = True
            elif event["event"] == "ended":
                last = event
            else:
                heard(event)
    if errand.folder is not None and (errand.folder / CANCEL).exists():
        return Outcome(ending=Ending.CANCELLED)
    code = child.wait(PATIENCE)
    if not ready:
        return None
    return Outcome(ending=Ending.DIED if last is None else Ending.ENDED, last=last, code=code)


def _check_servers(servers: Sequence[int], signalled: Sequence[int]) -> None:
    if not set(servers).isdisjoint(signalled):
        # It would compute for nobody: nothing that it writes arrives anywhere.
        raise VaultError("the encrypted area went away while the engine was at work")


def end_child(child: Child, isolation: Isolation, mark: str) -> None:
    """End a child and all that it started, and wait until that is so."""
    if isolation.processes and child.poll() is None:
        # The first process of the namespace is the only child of ``unshare``. When it is reaped, all others are gone.
        for pid in children_of(child.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.wait(PATIENCE)
    child.signal(signal.SIGKILL)
    child.wait(PATIENCE)
    if not isolation.processes:
        sweep(mark)


def last_words(log: Path, lines: int = 20) -> Sequence[str]:
    """The last lines of a log that are not blank."""
    return [line for line in end_of(log, _LAST_WORDS_BYTES).splitlines() if line.strip()][-lines:]


def end_of(log: Path, size: int) -> str:
    """The last ``size`` bytes of a log; nothing when it can't be read."""
    try:
        with open_log(log) as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - size))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def open_log(log: Path) -> IO[bytes]:
    """A log to be read. What ran may have left a link or a pipe of that name: neither is followed or waited for.

    Raises:
        OSError: there is none, or it is a link.
    """
    return open(os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: PTH123


def add_to_log(folder: int, name: str, text: str) -> None:
    """Write at the end of a log in an open folder, from outside of the walls. See ``open_log``.

    Raises:
        OSError: what is there is not the regular file, with one name, that a log is.
    """
    log = os.open(
        name,
        os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
        0o644,
        dir_fd=folder,
    )
    try:
        status = os.fstat(log)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise OSError(errno.EINVAL, "not a log", name)
        os.write(log, text.encode(errors="replace"))
    finally:
        os.close(log)


class _Voice:
    """The reading end of a child's pipe."""

    def __init__(self, reading: int, token: str, log: IO[bytes]) -> None:
        self.reading = reading
        self._token = f"{token} ".encode()
        self._log = log
        self._pending = b""
        self._foreign = 0

    def hear(self) -> list[dict[str, Any]] | None:
        """What the child said meanwhile, ``None`` when it will say no more. Lines of others are counted."""
        data = os.read(self.reading, 1 << 16)
        if not data:
            return None
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > _LONGEST_LINE:
            self._pending = b""
        events = []
        for line in lines:
            if line.startswith(self._token):
                events.append(json.loads(line[len(self._token) :]))
            elif line:
                self._complain()
        return events

    def _complain(self) -> None:
        self._foreign += 1
        if self._foreign == 1:
            self._log.write(b"something else than the engine wrote on its pipe; that is not believed\n")


class _Inbox:
    """Signals that came for us; ``reading`` becomes readable when one does."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.got: int | None = None

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        if self.got is None:
            self.got = number
            os.write(self._writing, b"!")

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.reading)
        os.close(self._writing)


@contextmanager
def _signals() -> Iterator[_Inbox]:
    """Take signals as messages for a while. Python allows that in the main thread only; elsewhere none come."""
    inbox = _Inbox()
    previous: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _CATCH:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    previous[number] = signal.signal(number, inbox.receive)
        yield inbox
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        inbox.close()
