"""Hearing: who is at the door, and what is asked. Whoever says nothing, or something else, harms nobody.

What is said, and how, is told in ``engines.child.container_shim``.
"""

from __future__ import annotations

import array
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ADDRESS = "door"
"""The name of the socket in the door's folder."""

STREAMS = 3
LONGEST = 8 << 20
"""Bytes that a call may have at most; Linux lets a program have 6 MiB of arguments and environment."""

PATIENCE = 10.0
"""Seconds in which a call has to be said."""

WAITING = 128
"""Callers that may be about to say something at the same time."""

REFUSED = 125
"""What docker ends with when a container could not be started."""

_HEADER = 20
_CREDENTIALS = struct.Struct("=3i")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A call, wholly said. ``streams`` are descriptors, ours to close; ``pid`` is the caller's as we see it."""

    connection: socket.socket
    pid: int
    cwd: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    streams: tuple[int, int, int]

    def signals(self, timeout: float | None) -> bytes | None:
        """The signals it got meanwhile, ``None`` when it is gone."""
        self.connection.settimeout(timeout)
        try:
            return self.connection.recv(64) or None
        except TimeoutError:
            return b""
        except OSError:
            return None

    def answer(self, code: int) -> None:
        """Tell the exit code. Who is gone needs none."""
        with suppress(OSError):
            self.connection.settimeout(PATIENCE)
            self.connection.sendall(b"%d\n" % code)

    def say(self, text: str) -> None:
        """Write a line to its standard error; it may be a pipe that nobody reads."""
        _write(self.streams[2], f"{text}\n".encode(errors="replace"))

    def show(self, text: str) -> None:
        """Write to its standard output."""
        _write(self.streams[1], text.encode(errors="replace"))

    def close(self) -> None:
        """Let go of it."""
        for one in self.streams:
            with suppress(OSError):
                os.close(one)
        self.connection.close()


def _write(descriptor: int, data: bytes) -> None:
    """Write what can be written at once, so that nobody can make us wait."""
    with suppress(OSError):
        # Not select(2), which knows no descriptor from 1024 on.
        poller = select.poll()
        poller.register(descriptor, select.POLLOUT)
        while data and poller.poll(1000):
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]


@dataclass(slots=True, kw_only=True)
class _Pending:
    """Somebody who is still speaking."""

    connection: socket.socket
    pid: int
    deadline: float
    heard: bytearray = field(default_factory=bytearray)
    descriptors: list[int] = field(default_factory=list)

    def close(self) -> None:
        for one in self.descriptors:
            os.close(one)
        self.connection.close()


class Hearing:
    """Listens in a thread of its own, from construction to ``close``; each call is handed on in a thread of its own.

    ``folder`` is where the socket is made; ``word`` is what a caller has to know.

    Raises:
        OSError: the socket can't be made.
    """

    def __init__(self, folder: Path, word: str, called: Callable[[Caller], None]) -> None:
        self._word = word
        self._called = called
        self._pending: dict[int, _Pending] = {}
        self._callers: set[threading.Thread] = set()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # The address of a socket has 108 bytes at most.
            self._door.bind(f"/proc/self/fd/{held}/{ADDRESS}")
        except BaseException:
            self._door.close()
            raise
        finally:
            os.close(held)
        self._door.listen(WAITING)
        self._door.setblocking(False)
        self._ears, self._stop = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._listen, name="door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear nobody any more; the calls that are being served go on (``wait``)."""
        os.write(self._stop, b"!")
        self._thread.join()
        for one in self._pending.values():
            one.close()
        self._door.close()
        os.close(self._ears)
        os.close(self._stop)

    def wait(self) -> None:
        """Wait until every call is served."""
        for one in tuple(self._callers):
            one.join()

    def _listen(self) -> None:
        poller = select.poll()
        poller.register(self._ears, select.POLLIN)
        poller.register(self._door, select.POLLIN)
        while True:
            found = [number for number, _ in poller.poll(1000 if self._pending else None)]
            if self._ears in found:
                return
            for number in found:
                if number == self._door.fileno():
                    self._accept(poller)
                elif number in self._pending and self._hear(self._pending[number]):
                    del self._pending[number]
                    poller.unregister(number)
            now = time.monotonic()
            for number in [one for one, pending in self._pending.items() if pending.deadline < now]:
                self._drop(number, poller)

    def _accept(self, poller: select.poll) -> None:
        try:
            connection = self._door.accept()[0]
        except OSError:
            # No descriptors are left, or the caller is gone already: the others go on, and room will come.
            time.sleep(0.01)
            return
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(credentials)
        if uid != os.geteuid():
            connection.close()
            return
        if len(self._pending) >= WAITING:
            self._drop(next(iter(self._pending)), poller)
        connection.setblocking(False)
        self._pending[connection.fileno()] = _Pending(
            connection=connection, pid=pid, deadline=time.monotonic() + PATIENCE
        )
        poller.register(connection, select.POLLIN)

    def _drop(self, number: int, poller: select.poll) -> None:
        poller.unregister(number)
        self._pending.pop(number).close()

    def _hear(self, pending: _Pending) -> bool:
        """Hear what there is; whether that is all, or too much."""
        try:
            done = self._take(pending)
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            pending.close()
            return True
        if not done:
            return False
        try:
            caller = self._understand(pending)
        except ValueError:
            pending.close()
            return True
        thread = threading.Thread(target=self._serve, args=(caller,), name="door-call", daemon=True)
        self._callers.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._callers.discard(thread)
            caller.close()
        return True

    def _serve(self, caller: Caller) -> None:
        try:
            self._called(caller)
        except Exception as error:  # noqa: BLE001 - one call must not be the end of the others, nor a traceback
            caller.say(f"wfexs-like: this call could not be served: {type(error).__name__}")
            caller.answer(REFUSED)
        finally:
            caller.close()
            self._callers.discard(threading.current_thread())

    def _take(self, pending: _Pending) -> bool:
        """Receive; whether all was said.

        Raises:
            OSError: it went away, or nothing comes at present (``BlockingIOError``).
            ValueError: this is no call.
        """
        room = socket.CMSG_SPACE(array.array("i").itemsize * STREAMS)
        data, rights, flags, _ = pending.connection.recvmsg(1 << 16, room, socket.MSG_CMSG_CLOEXEC)
        pending.descriptors += _descriptors(rights)
        if not data or flags & socket.MSG_CTRUNC or len(pending.descriptors) > STREAMS:
            raise ValueError
        pending.heard += data
        if len(pending.heard) < _HEADER:
            return False
        if not pending.heard[:_HEADER].isdigit():
            raise ValueError
        length = int(pending.heard[:_HEADER])
        if not 0 < length <= LONGEST or len(pending.heard) > _HEADER + length:
            raise ValueError
        return len(pending.heard) == _HEADER + length

    def _understand(self, pending: _Pending) -> Caller:
        """The call that was said.

        Raises:
            ValueError: this is none.
        """
        words = iter([os.fsdecode(one) for one in bytes(pending.heard[_HEADER:]).split(b"\0")[:-1]])
        try:
            if next(words) != self._word or len(pending.descriptors) != STREAMS:
                raise ValueError
            cwd, count = next(words), int(next(words))
            arguments = tuple(_some(words, count))
        except (StopIteration, RuntimeError) as error:
            raise ValueError from error
        variables = {name: value for name, equals, value in (one.partition("=") for one in words) if equals}
        first, second, third = pending.descriptors
        return Caller(
            connection=pending.connection,
            pid=pending.pid,
            cwd=cwd,
            arguments=arguments,
            environment=variables,
            streams=(first, second, third),
        )


def _some(words: Iterator[str], count: int) -> list[str]:
    if not 0 <= count <= LONGEST:
        raise ValueError
    return [next(words) for _ in range(count)]


def _descriptors(rights: list[tuple[int, int, bytes]]) -> list[int]:
    found: list[int] = []
    for level, kind, data in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            found += numbers
    return found
