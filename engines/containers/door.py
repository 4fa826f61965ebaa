"""The door: the one way from an engine to a container runtime.

The engine finds a ``docker`` that hands each call over (``engines.child.container_shim``). Here, outside of the run's
walls, the call is read, put through the policy and started, with the engine's own standard streams. No task can reach
a daemon, and a container can't be more than the policy lets it.
"""

from __future__ import annotations

import itertools
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from engines.base import Placement
from engines.child import container_shim
from engines.containers.answers import ENDING, answer, names
from engines.containers.base import Containers, Dark, Mount, Order
from engines.containers.calls import read_run
from engines.containers.concealing import conceal
from engines.containers.finding import lay_command
from engines.containers.hearing import REFUSED, Caller, Hearing
from engines.containers.image_config import volumes_of
from engines.containers.lifetime import Lifetime, Running, Tell
from engines.containers.policy import LABEL, Bounds, as_outside, decide, may_write
from engines.containers.reaping import Reaper
from engines.containers.sources import ExchangedError, Held, walk
from engines.containers.witness import Witness
from engines.stopping import DOOR, clear
from staging.errors import ContainerError, PolicyError, WfexsError, from_os_error

AT_ONCE = 128
"""Containers that a run may have at the same time."""


class Door:
    """The door of one run; a context manager. Leaving it ends every container that is still there.

    ``content`` is the working directory's content, ``folder`` the run's in it. ``tell`` gets journal events, from
    several threads. ``network`` says what network a container gets, each time that one is started. ``earlier`` are
    the folders of the runs that this one goes on from. ``say`` gets sentences for the run's log. ``step_at`` names
    the step that works in a folder of the content (a path relative to it). ``failure`` is the first thing that went
    wrong here, if any did, and ``failed`` the step that it happened to.
    ``exchanged``: it is that something else was put in the place of what a container was to see, and the run failed
    whatever its engine says.
    """

    def __init__(
        self,
        containers: Containers,
        *,
        content: Path,
        folder: Path,
        uuid: str,
        placement: Placement,
        tell: Tell,
        network: Callable[[], Dark] = Dark,
        earlier: Sequence[Path] = (),
        secret: bool = False,
        say: Callable[[str], None] = lambda _text: None,
        step_at: Callable[[str], str | None] = lambda _folder: None,
    ) -> None:
        self.containers = containers
        self.failure: WfexsError | None = None
        self._failed_for: Caller | None = None
        self.exchanged = False
        self._bounds = Bounds(
            content=content.resolve(),
            folder=content.resolve() / folder.relative_to(content),
            uuid=uuid,
            images=containers.images,
            cores=placement.cores,
            memory=placement.memory,
            user=(os.geteuid(), os.getegid()),
            gpus=containers.gpus,
            writable_root=containers.writable_root,
            earlier=tuple(content.resolve() / one.relative_to(content) for one in earlier),
        )
        self.folder = folder / DOOR
        self._scratch = self._bounds.folder / DOOR / "containers"
        self._tell = tell
        self._network = network
        self._say = say
        self._step_at = step_at
        self._secret = secret
        self._word = secrets.token_hex(16)
        self._numbers = itertools.count(1)
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._sweep = False
        self._reaper: Reaper | None = None
        self._said: set[str] = set()
        self._hearing: Hearing | None = None

    @property
    def commands(self) -> Path:
        """The folder with the ``docker`` that comes first in the engine's PATH."""
        return self.folder / "commands"

    @property
    def environment(self) -> dict[str, str]:
        """What that ``docker`` needs to find us."""
        return {container_shim.VARIABLE.decode(): f"{self._word}:{self.folder}"}

    def __enter__(self) -> Door:
        try:
            self.commands.mkdir(parents=True)
            self._scratch.mkdir(parents=True, exist_ok=True)
            lay_command(self.commands / "docker")
            self._hearing = Hearing(self.folder, self._word, self._called)
        except OSError as error:
            raise from_os_error(error, "make the door to the container runtime") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._hearing is not None
        with self._lock:
            self._closing = True
            running = list(self._running.values())
            for one in running:
                one.stop()
        self._hearing.close()
        self._hearing.wait()
        if self._sweep:
            # One that was just being made when it was to end may have come to be afterwards.
            self._attempt(lambda: self.containers.runtime.sweep(LABEL, self._bounds.uuid))
        if self._reaper is not None:
            self._reaper.dismiss()
        clear(self.folder)
        with suppress(OSError):
            self.folder.rmdir()

    # -- calls -----------------------------------------------------------------------------------------------------

    def _called(self, caller: Caller) -> None:
        """Serve one call, in a thread of its own."""
        with ExitStack() as afterwards:
            try:
                code = self._serve(caller, afterwards)
            except WfexsError as error:
                code = self._refuse(caller, error)
            except OSError as error:
                code = self._refuse(caller, from_os_error(error, "start a container"))
            caller.answer(code)

    @property
    def failed(self) -> str | None:
        """The step that ``failure`` happened to. A call may be heard before its step is, so ask when all was heard."""
        return None if self._failed_for is None else self._step(self._failed_for)

    def _refuse(self, caller: Caller, error: WfexsError) -> int:
        self._fail(error, caller)
        caller.say(f"wfexs-like: {error.message}")
        return REFUSED

    def _attempt(self, what: Callable[[], object]) -> None:
        try:
            what()
        except WfexsError as error:
            self._fail(error)

    def _fail(self, error: WfexsError, caller: Caller | None = None) -> None:
        with self._lock:
            if self.failure is None or (isinstance(error, ExchangedError) and not self.exchanged):
                self.failure, self._failed_for = error, caller
            self.exchanged = self.exchanged or isinstance(error, ExchangedError)

    def _step(self, caller: Caller) -> str | None:
        """The step that a call is for: engines make it where the step works."""
        prefix = f"{self._bounds.content}/"
        place = as_outside(caller.cwd, self._bounds)
        return self._step_at(place.removeprefix(prefix)) if place.startswith(prefix) else None

    def _serve(self, caller: Caller, afterwards: ExitStack) -> int:
        # Options before the verb are about which daemon and how: that is ours to say.
        words = list(caller.arguments)
        if words[:1] == ["container"]:
            words.pop(0)
        verb = words.pop(0) if words else ""
        if verb == "run":
            return self._run(caller, words, afterwards)
        if verb in ENDING:
            return self._stop(caller, names(words, force=True))
        text, code = answer(verb, words, self._bounds.images, self.containers.facts.version)
        caller.show(text)
        return code

    def _stop(self, caller: Caller, called: list[str]) -> int:
        """End containers of ours; of others nothing is known here."""
        code = 0
        for name in called:
            with self._lock:
                running = self._find(name)
                if running is not None:
                    running.stop()
            if running is None:
                caller.say(f"Error: No such container: {name}")
                code = 1
            else:
                running.ended.wait()
        return code

    def _run(self, caller: Caller, words: list[str], afterwards: ExitStack) -> int:
        call = read_run(words, caller.environment, caller.cwd)
        number = next(self._numbers)
        scratch = self._scratch / str(number)
        decision = decide(
            call,
            self._bounds,
            name=f"wfexs-{self._bounds.uuid[:8]}-{number}",
            scratch=scratch,
            network=self._network(),
            resolve=os.path.realpath,
            there=Path.is_dir,
        )
        order = decision.order
        self._mention(decision.dropped)
        # What a container leaves in its folders for temporary files keeps nobody waiting.
        afterwards.callback(clear, scratch)
        for mount in order.mounts:
            if scratch in mount.source.parents:
                mount.source.mkdir(parents=True)
                mount.source.chmod(0o1777)
        if self._secret:
            order = conceal(order, content=self._bounds.content, folder=self._bounds.folder, scratch=scratch / "told")
            order = replace(order, volumes=_volumes(order, scratch / "volumes"))
        held = Held(self._bounds.content, self._bounds.folder, order.mounts)
        try:
            witness = Witness(scratch / "witness", [(one.target, *held.numbers(one)) for one in order.mounts])
            mounts = tuple(held.fixed(one, scratch / "files") for one in order.mounts)
            order = replace(order, mounts=mounts, hooks=str(witness.hooks), cidfile=str(scratch / "id"))
            running = self._admit(Running(order=order, called=call.name))
            try:
                self._leave_id(call.cidfile, caller.cwd, order.name)
                return self._live(caller, running, held, witness)
            finally:
                with self._lock:
                    del self._running[order.name]
                    os.close(running.over)
                running.ended.set()
        finally:
            held.close()

    def _mention(self, dropped: tuple[str, ...]) -> None:
        for option in dropped:
            with self._lock:
                new = option not in self._said
                self._said.add(option)
            if new:
                self._say(f"containers go without {option}, which was asked for")

    def _admit(self, running: Running) -> Running:
        with self._lock:
            if self._closing:
                raise ContainerError("the run is over, so no container is started")
            if len(self._running) >= AT_ONCE:
                raise ContainerError(f"the run has {AT_ONCE} containers already, so no other is started")
            if running.called and self._find(running.called) is not None:
                raise ContainerError(f"there is a container named {running.called!r} already")
            if self._reaper is None:
                self._reaper = Reaper(self.containers.runtime, self._bounds.uuid)
            self._running[running.order.name] = running
        return running

    def _find(self, called: str) -> Running | None:
        return next((one for one in self._running.values() if called in (one.called, one.order.name)), None)

    def _leave_id(self, cidfile: str | None, cwd: str, name: str) -> None:
        """Write the container's name where the engine wants to read its id."""
        if cidfile is None:
            return
        path = Path(
            as_outside(os.path.normpath(f"{cwd}/{cidfile}" if not cidfile.startswith("/") else cidfile), self._bounds)
        )
        parent = Path(os.path.realpath(path.parent))
        if not may_write(parent / path.name, self._bounds.folder):
            raise PolicyError(
                f"a container's id was to be written to {cidfile!r}, which is not in the run's own folders"
            )
        folder = walk(self._bounds.content, parent)
        try:
            file = os.open(path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
        finally:
            os.close(folder)
        with open(file, "w") as stream:  # noqa: PTH123 - a descriptor
            stream.write(name)

    def _live(self, caller: Caller, running: Running, held: Held, witness: Witness) -> int:
        """Have the container from its start to its end; its exit code."""
        life = Lifetime(
            self.containers.runtime,
            running,
            caller,
            held,
            witness,
            content=self._bounds.content,
            tell=self._tell,
            step=lambda: self._step(caller),
        )
        try:
            return life.run()
        finally:
            if life.in_doubt:
                self._sweep = True
            if life.fault is not None:
                self._fail(life.fault, caller)


def _volumes(order: Order, scratch: Path) -> tuple[Mount, ...]:
    """A folder of ours for each that the image wants to be a volume."""
    made = tuple(
        Mount(source=scratch / str(number), target=target) for number, target in enumerate(volumes_of(order), start=1)
    )
    for one in made:
        one.source.mkdir(parents=True)
    return made
