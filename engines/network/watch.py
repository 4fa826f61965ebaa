"""The watch: a thread that reads what comes out of a run's network namespaces, refuses it, and tells of it.

The devices are made within the namespaces (``engines.child.device``) and come here by their descriptors. What can't be
seen from here: what goes over Unix sockets to daemons outside, over shared file systems, and over what the kernel
mounted by itself.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

from engines.journal import timestamp
from engines.network.ledger import Ledger
from engines.network.owners import Owner, Owners
from engines.network.packets import look

_LARGEST = 1 << 16
_LONGEST_MESSAGE = 4096
_MOST_LEFT = 10_000
_PATIENCE = 10.0
# linux/nsfs.h, linux/sched.h
_NS_GET_NSTYPE: Final = 0xB703
_CLONE_NEWNET: Final = 0x40000000
# linux/if_tun.h
_TUNSETPERSIST: Final = 0x400454CB

Tell = Callable[[Mapping[str, Any]], None]


class Watch:
    """What a run tries while it lasts.

    ``tell`` takes the events ``network-watched``, ``attempt`` and ``attempts-unlisted``, from a thread.
    ``place_of`` says in which of the run's own folders a process and its ancestors work, and ``step_at`` which step
    works in one of those.
    """

    def __init__(
        self,
        tell: Tell,
        *,
        place_of: Callable[[Owner], tuple[str, ...]],
        step_at: Callable[[tuple[str, ...]], str | None],
    ) -> None:
        self._tell = tell
        self._place_of = place_of
        self._ledger = Ledger(step_at)
        self._lines: dict[int, socket.socket] = {}
        self._devices: dict[int, Owners] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waking, self._wake = -1, -1
        self._ending = False
        self._namespace = -1

    def listen(self, line: socket.socket) -> None:
        """Take a device from the other end of a socket, as soon as it comes; its first word tells how that went."""
        with self._lock:
            self._lines[line.fileno()] = line
        self._stir()

    def _stir(self) -> None:
        """Have the thread look at what there is now."""
        with self._lock:
            if self._thread is None:
                self._waking, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                self._ending = False
                self._thread = threading.Thread(target=self._run, name="network", daemon=True)
                self._thread.start()
            os.write(self._wake, b"+")

    def take(self, line: socket.socket) -> str | None:
        """Take a device for containers that was sent already, and tell so; else why there is none (not told here)."""
        words = self._receive(line) or "the device could not be made"
        if isinstance(words, str):
            return words
        self.containers_told(None)
        return None

    def containers_told(self, reason: str | None) -> None:
        """Tell that what containers try is seen, or why it is not."""
        event = {"event": "network-watched", "time": timestamp(), "of": "containers", "watched": reason is None}
        self._tell(event if reason is None else {**event, "reason": reason})

    def namespace(self) -> str | None:
        """A path of the engine's network namespace, once it is watched; it means nothing else until ``end``."""
        with self._lock:
            return None if self._namespace < 0 else f"/proc/{os.getpid()}/fd/{self._namespace}"

    def _keep(self, namespace: int) -> None:
        with self._lock:
            namespace, self._namespace = self._namespace, namespace
        if namespace >= 0:
            os.close(namespace)

    def end(self) -> None:
        """Read what is left, and tell the final counts. Nothing of the run may live any more."""
        thread = self._thread
        if thread is None:
            return
        self._ending = True
        os.write(self._wake, b".")
        thread.join(_PATIENCE)
        self._thread = None
        self._keep(-1)
        if thread.is_alive():
            return
        os.close(self._waking)
        os.close(self._wake)
        for event in self._ledger.final():
            self._tell(event)
        if self._ledger.unlisted:
            self._tell({"event": "attempts-unlisted", "time": timestamp(), "count": self._ledger.unlisted})

    def _run(self) -> None:
        try:
            while not self._ending:
                self._wait()
            for descriptor in list(self._devices):
                for _ in range(_MOST_LEFT):
                    if not self._take(descriptor):
                        break
        finally:
            for descriptor in list(self._devices):
                self._drop(descriptor)
            for line in self._lines.values():
                line.close()
            self._lines.clear()

    def _wait(self) -> None:
        poller = select.poll()
        poller.register(self._waking, select.POLLIN)
        with self._lock:
            for descriptor in (*self._lines, *self._devices):
                poller.register(descriptor, select.POLLIN)
        for descriptor, _ in poller.poll():
            if descriptor == self._waking:
                os.read(descriptor, _LONGEST_MESSAGE)
            elif descriptor in self._lines:
                self._meet(descriptor)
            else:
                self._take(descriptor)

    def _meet(self, descriptor: int) -> None:
        """The child has a device for us, or says why not, or is gone."""
        with self._lock:
            line = self._lines.pop(descriptor)
        said = self._receive(line, keep=True)
        if said is not None:
            watched = said is True
            event = {"event": "network-watched", "time": timestamp(), "of": "engine", "watched": watched}
            self._tell(event if watched else {**event, "reason": said})

    def _receive(self, line: socket.socket, *, keep: bool = False) -> str | Literal[True] | None:
        """Whether a device came, or why it did not; ``None`` when nothing did. ``keep`` its namespace open, too."""
        with line:
            try:
                message, descriptors, _, _ = socket.recv_fds(line, _LONGEST_MESSAGE, 2)
            except OSError:
                return None
        said = message.decode(errors="replace")
        if not descriptors:
            return said or None
        for one in descriptors:
            os.set_inheritable(one, False)
        device, *rest = descriptors
        if rest and (fault := _not_dark(rest[0], said)) is not None:
            for one in descriptors:
                os.close(one)
            return fault
        # Without its namespace a device is watched all the same; containers can't join by a path then.
        if rest and keep:
            self._keep(rest[0])
        else:
            for one in rest:
                os.close(one)
        os.set_blocking(device, False)
        with self._lock:
            self._devices[device] = Owners(int(said))
        self._stir()
        return True

    def _take(self, descriptor: int) -> bool:
        """Read one packet and answer it; ``False`` when there is none."""
        try:
            packet = os.read(descriptor, _LARGEST)
        except BlockingIOError:
            return False
        except OSError:
            # The namespace is gone.
            self._drop(descriptor)
            return False
        with suppress(Exception):
            # Whatever a packet or /proc holds, the next one is read.
            self._see(descriptor, packet)
        return True

    def _see(self, descriptor: int, packet: bytes) -> None:
        attempted, answer = look(packet)
        try:
            if attempted is not None:
                owner = None if self._ledger.is_full else self._devices[descriptor].find(attempted)
                event = self._ledger.note(
                    attempted,
                    self._place_of(owner) if owner is not None else (),
                    owner.program if owner is not None else None,
                    timestamp(),
                )
                if event is not None:
                    self._tell(event)
        finally:
            if answer is not None:
                with suppress(OSError):
                    os.write(descriptor, answer)

    def _drop(self, descriptor: int) -> None:
        """Let go of a device.

        It goes with its namespace, and the kernel need not wait for that now (which would take some 15 ms).
        """
        with self._lock:
            del self._devices[descriptor]
        with suppress(OSError):
            fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
        os.close(descriptor)


def _not_dark(namespace: int, inode: str) -> str | None:
    """Why a descriptor is not that of the network namespace with that inode, or is that of our own; else ``None``."""
    try:
        kind = fcntl.ioctl(namespace, _NS_GET_NSTYPE)
        actual, ours = os.fstat(namespace), os.stat("/proc/self/ns/net")  # noqa: PTH116 - of a descriptor's kind
    except OSError as error:
        return f"its network namespace can't be seen: {error.strerror}"
    if kind != _CLONE_NEWNET or str(actual.st_ino) != inode:
        return "what came with it is not its network namespace"
    if (actual.st_dev, actual.st_ino) == (ours.st_dev, ours.st_ino):
        return "its network namespace is this machine's own"
    return None
