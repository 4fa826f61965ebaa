"""Lifetimes: one container from its start to its end, whoever ends it, and what is told of it.

It never outlives its caller or its run; where it may have, ``Lifetime.in_doubt`` says so.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engines.containers.base import ContainerRuntime, Order
from engines.containers.hearing import REFUSED, Caller
from engines.containers.metering import PAUSE, Meter
from engines.containers.sources import ExchangedError, Held
from engines.containers.variables import command_of
from engines.containers.watching import Watch
from engines.containers.witness import Witness
from engines.journal import timestamp
from staging.errors import ContainerError, PolicyError
from staging.process import Child, start

_GRACE = 2.0
# What a runtime ends with when a container's command could not be begun; its command too, when a signal ended it.
_NOT_BEGUN = (REFUSED, 126, 127, *range(129, 160))
_LOOKS = (0.05, 0.2, 1.0)

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class Running:
    """A container of ours, and the name that its engine gave it. ``over`` becomes readable when it has to end."""

    order: Order
    called: str | None
    over: int = field(default_factory=lambda: os.eventfd(0, os.EFD_CLOEXEC))
    stopped: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """It has to end."""
        self.stopped = True
        os.eventfd_write(self.over, 1)


class Lifetime:
    """The life of the container that is ``running``, for ``caller``, whose mounts are ``held`` and seen by ``witness``.

    ``content`` is the working directory's; ``step`` says which step the container is for, as far as that is known.
    ``fault`` is what the runtime itself failed at, where its caller can't tell that from what ran in the container.
    """

    def __init__(
        self,
        runtime: ContainerRuntime,
        running: Running,
        caller: Caller,
        held: Held,
        witness: Witness,
        *,
        content: Path,
        tell: Tell,
        step: Callable[[], str | None],
    ) -> None:
        self.in_doubt = False
        self.fault: ContainerError | None = None
        self._runtime = runtime
        self._running = running
        self._caller = caller
        self._held = held
        self._witness = witness
        self._content = content
        self._tell = tell
        self._step = step

    def run(self) -> int:
        """Start it, and stay until it is over; its exit code.

        Raises:
            ContainerError: the runtime doesn't answer any more, or can't be told a variable.
            ExchangedError: something else was put in the place of what it was given to see.
            PolicyError: nobody looked at what it was given.
        """
        order, runtime = self._running.order, self._runtime
        stdin, stdout, stderr = self._caller.streams
        told = replace(order, hooks=None, cidfile=None, mounts=tuple(replace(one, held=None) for one in order.mounts))
        self._tell(
            {
                "event": "container-started",
                "time": timestamp(),
                "container": order.name,
                "image": order.image.name,
                "id": f"sha256:{order.image.config}",
                "digest": f"sha256:{order.image.digest}",
                "argv": list(runtime.argv(told)),
            }
        )
        code: int | None = None
        meter = Meter(Path(order.cidfile or os.devnull))
        try:
            with (
                closing(meter),
                command_of(runtime, order) as command,
                start(
                    command.argv,
                    env=command.environment,
                    cwd=self._content,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    pass_fds=command.descriptors,
                ) as child,
            ):
                code = self._wait(child, meter)
            if str(self._witness.hooks) in command.argv:
                self._hear(code)
        finally:
            ended = {"event": "container-ended", "time": timestamp(), "container": order.name, "exit_code": code}
            step = self._step() if meter.usage else None
            self._tell({**ended, **meter.usage, **({} if step is None else {"step": step})})
        if code:
            self._ask_why(code)
        return code

    def _wait(self, child: Child, meter: Meter) -> int:
        """Wait for the container's end, or make it: when its caller is gone, or told to, or the run is over."""
        watch = Watch(child, self._caller.connection, self._running.over)
        looks = iter(_LOOKS)
        signalled = False
        try:
            while (code := child.poll()) is None:
                if meter.look() and meter.process is not None:
                    watch.also(meter.process)
                found = watch.wait(PAUSE if meter.looking else next(looks, None))
                if found.ended or found.over or found.gone or found.overdue:
                    meter.read()
                if found.over or found.gone or found.overdue:
                    return self._end(child)
                for number in found.signals:
                    signalled = True
                    child.signal(number)
                self._look(child)
            self._look(child)
            if code != 0 or signalled:
                self._make_sure(code)
            return code if code >= 0 else 128 - code
        finally:
            watch.close()

    def _make_sure(self, code: int) -> None:
        """End the container of a command that may have ended without it: by a signal, or a pipe that nobody reads."""
        self.in_doubt = True
        try:
            self._runtime.stop(self._running.order.name)
        except ContainerError:
            self._ask_why(code)
            raise

    def _hear(self, code: int) -> None:
        """What the witness of a container tells; without any there may have been no container to look at.

        Raises:
            ExchangedError: something else was mounted, so the container wasn't begun.
            PolicyError: nobody looked at the mounts of a container that ran.
        """
        target = self._witness.told()
        if target:
            source = next(one.source for one in self._running.order.mounts if one.target == target)
            raise ExchangedError(f"{source} was exchanged while a container was given it to see, so it was not begun")
        if target is None and code not in _NOT_BEGUN:
            raise PolicyError(f"{self._runtime.name} began a container without the look at what it is given")

    def _look(self, child: Child) -> None:
        """Whether what was mounted is what was decided on: something else may have been put in its place meanwhile."""
        moved = self._held.moved()
        if moved is not None:
            self._end(child)
            raise ExchangedError(
                f"{moved} was exchanged while a container was given it to see, so the container was ended"
            )

    def _end(self, child: Child) -> int:
        """End a container, whether it lives or is just coming to be; the exit code."""
        name, runtime = self._running.order.name, self._runtime
        self._running.stopped = self.in_doubt = True
        try:
            runtime.stop(name)
            if child.wait(_GRACE) is None:
                child.signal(signal.SIGKILL)
                child.wait()
                runtime.stop(name)
        finally:
            code = child.stop(0.0)
        return code if code >= 0 else 128 - code

    def _ask_why(self, code: int) -> None:
        """Whether it is the runtime that failed, and not what ran in the container.

        Raises:
            ContainerError: it doesn't answer any more.
        """
        if self._running.stopped:
            return
        runtime = self._runtime
        try:
            runtime.about()
        except ContainerError as error:
            raise ContainerError(
                f"{runtime.name} stopped answering while a container ran: {error.message}", hint=error.hint
            ) from error
        if code == REFUSED:
            self.fault = ContainerError(
                f"{runtime.name} could not start a container of {self._running.order.image.name}",
                hint="the step's log has its own words",
            )
