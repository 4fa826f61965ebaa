"""The network of a run's containers: as dark as the run's own, and watched where that can be had.

A runtime that joins a network namespace by its path joins the engine's own. For the others a container of ours holds a
network without a way out, in which our device is put; the others of the run join it. It is made while the
engine starts, and ends with the run. Where none of that works containers have loopback alone, and nobody sees what they
try: the record says so.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from engines.child import joining
from engines.containers.base import ContainerRuntime, Dark, Order
from engines.containers.policy import LABEL
from engines.network.holder_image import PROGRAM, make_image
from engines.network.watch import Watch
from staging.errors import ContainerError, WfexsError
from staging.process import DEVNULL, PIPE, Child, base_environment, run, start

_BY_PATH: Final = "podman"
_BY_CONTAINER: Final = ("docker", "podman")
_PATIENCE = 15.0
_GRACE = 5.0
_LOOK_AFTER = 0.005
_MEMORY = 16 << 20


class ContainerNetwork:
    """Says which network a run's next container gets. ``close`` ends what was made for that."""

    def __init__(
        self, runtime: ContainerRuntime, watch: Watch, *, uuid: str, say: Callable[[str], None] = lambda _text: None
    ) -> None:
        self._runtime = runtime
        self._watch = watch
        self._uuid = uuid
        self._say = say
        self._lock = threading.Lock()
        self._dark: Dark | None = None
        self._name = f"wfexs-{uuid[:8]}-network"
        self._child: Child | None = None

    def prepare(self) -> None:
        """Make what takes a while beside the engine's own start."""
        if not self._joins_engine():
            threading.Thread(target=self, name="container network", daemon=True).start()

    def _joins_engine(self) -> bool:
        """Whether containers join the engine's own: only root may take its processes into another's namespace."""
        return self._runtime.name == _BY_PATH and os.geteuid() == 0

    def __call__(self) -> Dark:
        """The network; the first call makes it."""
        with self._lock:
            if self._dark is None:
                self._dark = self._make()
            return self._dark

    def close(self) -> None:
        """End the container that holds it, if there is one."""
        with self._lock:
            self._dark = Dark()
            self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with child:
            # It ends with its input: also when we are ended ourselves.
            child.close()
            if child.wait(_GRACE) is not None:
                return
            try:
                self._runtime.stop(self._name)
            except WfexsError as error:
                self._say(f"the container {self._name} could not be removed: {error.message}")

    def _make(self) -> Dark:
        if self._joins_engine():
            namespace = self._watch.namespace()
            if namespace is not None:
                self._watch.containers_told(None)
                return Dark(namespace=namespace)
        if self._runtime.name not in _BY_CONTAINER:
            self._watch.containers_told(f"{self._runtime.name} gives each container an empty network of its own")
            return Dark()
        try:
            self._hold()
        except (WfexsError, OSError) as error:
            words = error.message if isinstance(error, WfexsError) else str(error)
            self._watch.containers_told(words)
            self._end()
            return Dark()
        return Dark(holder=self._name)

    def _hold(self) -> None:
        """Start the container, and put the device into its network.

        Raises:
            ContainerError: that doesn't work here.
        """
        with TemporaryDirectory(prefix="wfexs-network-") as folder:
            image = make_image(Path(folder))
            if image is None:
                raise ContainerError("there is no program for this machine that could hold a network")
            word = secrets.token_hex(16)
            order = Order(
                image=image,
                name=self._name,
                command=(PROGRAM, word),
                user=(os.geteuid(), os.getegid()),
                memory=_MEMORY,
                labels={LABEL: self._uuid},
            )
            try:
                process = self._begin(order)
            except ContainerError:
                # It was loaded by the first run on this machine: most need not ask.
                if self._runtime.has(image):
                    raise
                self._end()
                self._runtime.load(image, lambda _line: None)
                process = self._begin(order)
        self._join(process)

    def _begin(self, order: Order) -> int:
        """Start the container; the number of its process.

        Raises:
            ContainerError: it didn't start.
        """
        self._child = start(
            self._runtime.argv(order),
            env=base_environment(**self._runtime.environment),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        return _find("".join(f"{one}\0" for one in order.command).encode(), self._child)

    def _join(self, pid: int) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            argv = (sys.executable, "-I", "-S", joining.__file__, str(pid), str(theirs.fileno()))
            run(argv, env=base_environment(), timeout=_PATIENCE, check=False, pass_fds=(theirs.fileno(),))
        if (reason := self._watch.take(ours)) is not None:
            raise ContainerError(reason)


def _find(command: bytes, child: Child) -> int:
    """The process with exactly that command line.

    Raises:
        ContainerError: there is none to be seen: the container didn't start, or it is on another machine.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for entry in list(os.scandir("/proc")):
            if entry.name.isdigit():
                try:
                    with open(f"/proc/{entry.name}/cmdline", "rb") as stream:  # noqa: PTH123
                        if stream.read(len(command) + 1) == command:
                            return int(entry.name)
                except OSError:
                    continue
        code = child.poll()
        if code is not None:
            raise ContainerError(f"the container that was to hold the network ended with {code}")
        time.sleep(_LOOK_AFTER)
    raise ContainerError("the container that holds the network is not a process of this machine")
